// gomoqt as a peer: reads lines of JSON {id, name, argument}, answers {id, answer} or {id, error}.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/okdaichi/webtransport-go"
	"github.com/qumo-dev/gomoqt/moqt"
)

type call struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Argument struct {
		URL       string  `json:"url"`
		Hash      string  `json:"hash"`
		Broadcast string  `json:"broadcast"`
		Track     string  `json:"track"`
		Size      int     `json:"size"`
		Seed      uint32  `json:"seed"`
		Rate      float64 `json:"rate"`
		Code      uint32  `json:"code"`
		Reason    string  `json:"reason"`
	} `json:"argument"`
}

const (
	frameSize   = 16384
	groupFrames = 32
	patience    = 15 * time.Second
)

var (
	mux     = moqt.NewTrackMux(0)
	session *moqt.Session
)

// noise makes the bytes of lib/noise.js.
func noise(size int, seed uint32) []byte {
	bytes := make([]byte, 0, size+3)
	x := (seed*0x9e3779b9 ^ 0x5bd1e995) | 1
	for len(bytes) < size {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		bytes = append(bytes, byte(x), byte(x>>8), byte(x>>16), byte(x>>24))
	}
	return bytes[:size]
}

func connect(c call) (any, error) {
	trust := &tls.Config{
		InsecureSkipVerify: true, // Replaced by the check of the hash.
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if hash := sha256.Sum256(chain[0]); hex.EncodeToString(hash[:]) != c.Argument.Hash {
				return errors.New("another certificate")
			}
			return nil
		},
	}
	var err error
	session, err = (&moqt.Dialer{TLSConfig: trust}).Dial(context.Background(), c.Argument.URL, mux)
	return nil, err
}

// publish announces a broadcast and writes noise to the first that subscribes; it ends with that track.
func publish(c call) (any, error) {
	content := noise(c.Argument.Size, c.Argument.Seed)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	written := make(chan error, 1)
	mux.PublishFunc(ctx, moqt.BroadcastPath(c.Argument.Broadcast), func(track *moqt.TrackWriter) {
		if string(track.TrackName) != c.Argument.Track {
			track.CloseWithError(moqt.SubscribeErrorCodeNotFound)
			return
		}
		written <- write(track, content, c.Argument.Rate)
	})
	select {
	case err := <-written:
		return nil, err
	case <-time.After(patience):
		return nil, errors.New("nobody has subscribed")
	}
}

func write(track *moqt.TrackWriter, content []byte, rate float64) error {
	begin := time.Now()
	for first := 0; first < len(content); first += frameSize * groupFrames {
		group, err := track.OpenGroup(track.Context())
		if err != nil {
			return err
		}
		for at := first; at < min(first+frameSize*groupFrames, len(content)); at += frameSize {
			time.Sleep(time.Until(begin.Add(time.Duration(float64(at) / rate * float64(time.Second)))))
			frame := moqt.NewFrame(frameSize)
			frame.Write(content[at:min(at+frameSize, len(content))])
			if err := group.WriteFrame(frame); err != nil {
				return err
			}
		}
		if err := group.Close(); err != nil {
			return err
		}
	}
	// Its FIN ends the subscription of a reader of this library, groups in flight or not.
	time.Sleep(300 * time.Millisecond)
	return track.Close()
}

// hear returns once this broadcast is announced.
func hear(c call) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, err := session.AcceptAnnounce("/")
	if err != nil {
		return nil, err
	}
	for {
		one, err := reader.ReceiveAnnouncement(ctx)
		if err != nil {
			return nil, err
		}
		if string(one.BroadcastPath()) == c.Argument.Broadcast {
			return nil, nil
		}
	}
}

func subscribe(c call) (*moqt.TrackReader, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return session.Subscribe(ctx, moqt.BroadcastPath(c.Argument.Broadcast), moqt.TrackName(c.Argument.Track), nil)
}

// refused tells with which code a subscription was refused.
func refused(c call) (any, error) {
	_, err := subscribe(c)
	var native *moqt.SubscribeError
	if errors.As(err, &native) && native.Remote {
		return uint64(native.ErrorCode), nil
	}
	var web *webtransport.StreamError
	if errors.As(err, &web) {
		return uint64(web.ErrorCode), nil
	}
	return nil, fmt.Errorf("not refused: %v", err)
}

func receive(c call) (any, error) {
	track, err := subscribe(c)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	groups := map[moqt.GroupSequence][]byte{}
	first, total := ^moqt.GroupSequence(0), 0
	for total < c.Argument.Size {
		group, err := track.AcceptGroup(ctx)
		if err != nil {
			return nil, fmt.Errorf("after %d bytes of %d groups: %w", total, len(groups), err)
		}
		content := []byte{}
		for frame := range group.Frames(nil) {
			content = append(content, frame.Body()...)
		}
		groups[group.GroupSequence()] = content
		first, total = min(first, group.GroupSequence()), total+len(content)
	}
	digest := sha256.New()
	for sequence := first; len(groups) > 0; sequence++ {
		digest.Write(groups[sequence])
		delete(groups, sequence)
	}
	return map[string]any{"bytes": total, "sha256": hex.EncodeToString(digest.Sum(nil))}, nil
}

// disconnect closes the session with this code, and is back when the connection has ended.
func disconnect(c call) (any, error) {
	return nil, session.CloseWithError(moqt.SessionErrorCode(c.Argument.Code), c.Argument.Reason)
}

// closed waits until the peer has closed the session.
func closed(call) (any, error) {
	<-session.Context().Done()
	return fmt.Sprint(context.Cause(session.Context())), nil
}

func main() {
	functions := map[string]func(call) (any, error){
		"connect": connect, "publish": publish, "hear": hear, "refused": refused, "receive": receive, "disconnect": disconnect, "closed": closed,
	}
	var output sync.Mutex
	answer := func(c call) {
		said := map[string]any{"id": c.ID}
		if found, err := functions[c.Name](c); err != nil {
			said["error"] = err.Error()
		} else {
			said["answer"] = found
		}
		output.Lock()
		defer output.Unlock()
		json.NewEncoder(os.Stdout).Encode(said)
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			panic(err)
		}
		go answer(c)
	}
}
