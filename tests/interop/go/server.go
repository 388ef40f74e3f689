package main

import (
	"context"
	"crypto/tls"
	"io"
	"time"

	"github.com/qumo-dev/gomoqt/moqt"
)

// Servers of this library, on words[1], with --certificate FILE and --key FILE:
//
//	serve ADDRESS BROADCAST TRACK FILE [--next URI]  publishes to everyone until standard input ends, then leaves with GOAWAY{URI}
//	collect ADDRESS BROADCAST TRACK FILE             watches what the first client announces
//	relay ADDRESS                                    announces to all what one announces, and passes its tracks on
func newServer(tracks *moqt.TrackMux, handler func(*moqt.Session), fetches moqt.FetchHandler) *moqt.Server {
	certificate, err := tls.LoadX509KeyPair(options["certificate"], options["key"])
	check(err)
	return &moqt.Server{
		Addr:           words[1],
		TLSConfig:      &tls.Config{Certificates: []tls.Certificate{certificate}},
		TrackMux:       tracks,
		FetchHandler:   fetches,
		NextSessionURI: options["next"],
		Handler:        moqt.HandleFunc(handler), // Its return closes the session.
	}
}

func listen(server *moqt.Server) {
	if err := server.ListenAndServe(); err != moqt.ErrServerClosed {
		check(err)
	}
}

func serve() {
	film := readFilm(words[4])
	film.publish(context.Background(), make(chan error, 1024))
	server := newServer(mux, func(session *moqt.Session) { <-session.Context().Done() }, film)
	go listen(server)
	toldToLeave()
	if options["next"] != "" {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		check(server.Shutdown(ctx))
	}
}

func collect() {
	done := make(chan error)
	go listen(newServer(mux, func(session *moqt.Session) {
		find(session)
		done <- collectFrom(session)
	}, nil))
	check(<-done)
	time.Sleep(300 * time.Millisecond)
}

// relay is what this library's own tests call one: a handler for each announcement, which subscribes when somebody wants a track. A mux with
// a hop id does not announce to a peer what has come from it.
func relay() {
	tracks := moqt.NewTrackMux(moqt.NewHopID())
	go listen(newServer(tracks, func(session *moqt.Session) {
		reader, err := session.AcceptAnnounce("/")
		if err != nil {
			return
		}
		for one := range reader.Announcements(session.Context()) {
			tracks.Announce(one, moqt.TrackHandlerFunc(func(to *moqt.TrackWriter) { passOn(session, to) }))
		}
		<-session.Context().Done()
	}, nil))
	toldToLeave()
}

func passOn(session *moqt.Session, to *moqt.TrackWriter) {
	from, err := session.Subscribe(to.Context(), to.BroadcastPath, to.TrackName, to.TrackConfig())
	if err != nil {
		to.CloseWithError(moqt.SubscribeErrorCodeNotFound)
		return
	}
	defer from.Close()
	for {
		group, err := from.AcceptGroup(to.Context())
		if err != nil {
			return
		}
		copied, err := to.OpenGroupAt(to.Context(), group.GroupSequence())
		if err != nil {
			return
		}
		go copyGroup(group, copied)
	}
}

func copyGroup(from *moqt.GroupReader, to *moqt.GroupWriter) {
	for frame := moqt.NewFrame(0); ; {
		if err := from.ReadFrame(frame); err == io.EOF {
			to.Close()
			return
		} else if err != nil {
			to.CancelWrite(moqt.PublishAbortedErrorCode)
			return
		}
		if to.WriteFrame(frame) != nil {
			from.CancelRead(moqt.SubscribeCanceledErrorCode)
			return
		}
	}
}
