package main

import (
	"context"
	"os"
	"time"

	"github.com/qumo-dev/gomoqt/moqt"
)

// film is a file as groups of frames. The first group has number 1, as all of this library.
type film struct {
	content                []byte
	frameSize, groupFrames int
	rate                   float64 // Bytes a second; 0: as fast as they go.
}

func readFilm(path string) *film {
	content, err := os.ReadFile(path)
	check(err)
	return &film{content, int(number("frame-size", 16384)), int(number("group-frames", 32)), number("rate", 0)}
}

// publish announces the broadcast until ctx ends; `served` has an element for every subscriber that has all of the track.
func (f *film) publish(ctx context.Context, served chan<- error) {
	mux.PublishFunc(ctx, broadcast(), func(track *moqt.TrackWriter) {
		if string(track.TrackName) != words[3] {
			track.CloseWithError(moqt.SubscribeErrorCodeNotFound)
			return
		}
		served <- f.write(track)
	})
}

func (f *film) write(track *moqt.TrackWriter) error {
	begin := time.Now()
	for first := 0; first < len(f.content); first += f.frameSize * f.groupFrames {
		group, err := track.OpenGroup(track.Context())
		if err != nil {
			return err
		}
		if err := f.writeGroup(group, first, begin); err != nil {
			return err
		}
		if err := group.Close(); err != nil {
			return err
		}
	}
	if options["hold"] != "" {
		<-track.Context().Done()
		return nil
	}
	// Its FIN ends the subscription of a reader of this library, groups in flight or not.
	time.Sleep(300 * time.Millisecond)
	track.Close() // Fails where the subscriber has left already.
	return nil
}

func (f *film) writeGroup(group *moqt.GroupWriter, first int, begin time.Time) error {
	for at := first; at < min(first+f.frameSize*f.groupFrames, len(f.content)); at += f.frameSize {
		if f.rate > 0 {
			time.Sleep(time.Until(begin.Add(time.Duration(float64(at) / f.rate * float64(time.Second)))))
		}
		frame := moqt.NewFrame(f.frameSize)
		frame.Write(f.content[at:min(at+f.frameSize, len(f.content))])
		if err := group.WriteFrame(frame); err != nil {
			return err
		}
	}
	return nil
}

// ServeFetch answers with one group. The library closes it behind us: who closes it here resets it.
func (f *film) ServeFetch(group *moqt.GroupWriter, request *moqt.FetchRequest) {
	first := (int(request.GroupSequence) - 1) * f.frameSize * f.groupFrames
	if request.BroadcastPath != broadcast() || string(request.TrackName) != words[3] || first < 0 || first >= len(f.content) {
		group.CancelWrite(moqt.OutOfRangeErrorCode)
		return
	}
	begin := time.Now().Add(-time.Hour) // All of it is due.
	f.writeGroup(group, first, begin)
}
