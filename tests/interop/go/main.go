// A peer that is gomoqt, which speaks moq-lite-04, by native QUIC and by WebTransport. Its command line is that of ../rust/shared/arguments.rs,
// and beside it:
//
//	close URL CODE REASON                    closes the session so
//	serve, collect, relay                    servers: see server.go
//
// `watch` takes --size BYTES, for this library does not report the end of a track.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/okdaichi/webtransport-go"
	"github.com/qumo-dev/gomoqt/moqt"
)

const patience = 20 * time.Second

var (
	words   []string
	options = map[string]string{}
	mux     = moqt.NewTrackMux(0)
)

func readArguments() {
	for at := 1; at < len(os.Args); at++ {
		name, isOption := strings.CutPrefix(os.Args[at], "--")
		switch {
		case !isOption:
			words = append(words, name)
		case name == "hold" || name == "defaults":
			options[name] = "yes"
		default:
			at++
			options[name] = os.Args[at]
		}
	}
}

func number(name string, otherwise float64) float64 {
	text, given := options[name]
	if !given {
		return otherwise
	}
	value, err := strconv.ParseFloat(text, 64)
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func broadcast() moqt.BroadcastPath { return moqt.BroadcastPath("/" + words[2]) }
func toldToLeave()                  { io.Copy(io.Discard, os.Stdin) }

func connect(fetches moqt.FetchHandler) *moqt.Session {
	trust := &tls.Config{
		InsecureSkipVerify: true, // Replaced by the check of the fingerprint.
		VerifyPeerCertificate: func(chain [][]byte, _ [][]*x509.Certificate) error {
			if hash := sha256.Sum256(chain[0]); hex.EncodeToString(hash[:]) != options["fingerprint"] {
				return errors.New("another certificate")
			}
			return nil
		},
	}
	session, err := (&moqt.Dialer{TLSConfig: trust, FetchHandler: fetches}).Dial(context.Background(), words[1], mux)
	check(err)
	fmt.Println("version", session.ConnectionState().Version)
	return session
}

func publish() {
	film, served := readFilm(words[4]), make(chan error, 16)
	ctx, unannounce := context.WithCancel(context.Background())
	film.publish(ctx, served)
	session := connect(film)
	if options["hold"] == "" {
		select {
		case err := <-served:
			check(err)
		case <-time.After(patience):
			check(errors.New("nobody has subscribed"))
		}
	}
	fmt.Println("written")
	toldToLeave()
	unannounce()
	time.Sleep(300 * time.Millisecond)
	session.CloseWithError(0, "")
}

// find waits until the broadcast is announced on this session.
func find(session *moqt.Session) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reader, err := session.AcceptAnnounce("/")
	check(err)
	for {
		one, err := reader.ReceiveAnnouncement(ctx)
		check(err)
		if one.BroadcastPath() == broadcast() {
			return
		}
	}
}

func subscribe(session *moqt.Session) (*moqt.TrackReader, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return session.Subscribe(ctx, broadcast(), moqt.TrackName(words[3]), nil)
}

func readGroup(group *moqt.GroupReader) ([]byte, int, error) {
	content, frames := []byte{}, 0
	for frame := moqt.NewFrame(0); ; frames++ {
		if err := group.ReadFrame(frame); err == io.EOF {
			return content, frames, nil
		} else if err != nil {
			return nil, 0, err
		}
		content = append(content, frame.Body()...)
	}
}

type wholeGroup struct {
	sequence moqt.GroupSequence
	content  []byte
	err      error
}

// readGroups reads all groups at once: unread ones would use up this library's flow control.
func readGroups(ctx context.Context, track *moqt.TrackReader, read chan<- wholeGroup) {
	for {
		group, err := track.AcceptGroup(ctx)
		if err != nil {
			read <- wholeGroup{err: err}
			return
		}
		go func() {
			content, _, err := readGroup(group)
			read <- wholeGroup{group.GroupSequence(), content, err}
		}()
	}
}

// collectFrom writes --size bytes of the track, in the order of its groups.
func collectFrom(session *moqt.Session) error {
	size := int(number("size", 0))
	track, err := subscribe(session)
	if err != nil {
		return err
	}
	fmt.Println("subscribed")
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	read := make(chan wholeGroup, 1024)
	go readGroups(ctx, track, read)
	groups, total := []wholeGroup{}, 0
	for total < size {
		group := <-read
		if group.err != nil {
			return fmt.Errorf("after %d bytes of %d groups: %w", total, len(groups), group.err)
		}
		groups, total = append(groups, group), total+len(group.content)
	}
	slices.SortFunc(groups, func(a, b wholeGroup) int { return cmp.Compare(a.sequence, b.sequence) })
	output := []byte{}
	for _, group := range groups {
		output = append(output, group.content...)
	}
	fmt.Printf("ended after %d groups, %d bytes\n", len(groups), total)
	track.Close()
	return os.WriteFile(words[4], output, 0o644)
}

func watch() {
	session := connect(nil)
	find(session)
	check(collectFrom(session))
	session.CloseWithError(0, "")
}

func announcements() {
	session := connect(nil)
	prefix := "/"
	if words[2] != "" {
		prefix = "/" + words[2] + "/"
	}
	reader, err := session.AcceptAnnounce(prefix)
	check(err)
	go func() {
		<-session.Context().Done()
		fmt.Println("closed", context.Cause(session.Context()))
		os.Exit(0)
	}()
	go func() {
		for one := range reader.Announcements(context.Background()) {
			path := strings.TrimPrefix(string(one.BroadcastPath()), "/")
			fmt.Println("announced", path)
			one.AfterFunc(func() { fmt.Println("unannounced", path) })
		}
	}()
	toldToLeave()
	session.CloseWithError(0, "")
}

func fetch() {
	session := connect(nil)
	find(session)
	sequence, err := strconv.ParseUint(words[4], 10, 62)
	check(err)
	request := &moqt.FetchRequest{BroadcastPath: broadcast(), TrackName: moqt.TrackName(words[3]), GroupSequence: moqt.GroupSequence(sequence)}
	group, err := session.Fetch(request)
	check(err)
	content, frames, err := readGroup(group)
	check(err)
	check(os.WriteFile(words[5], content, 0o644))
	fmt.Printf("fetched %d frames\n", frames)
	session.CloseWithError(0, "")
}

// refused prints the code with which a subscription is refused: of a broadcast that nobody announces, too.
func refused() {
	session := connect(nil)
	_, err := subscribe(session)
	var native *moqt.SubscribeError
	var web *webtransport.StreamError
	switch {
	case errors.As(err, &native) && native.Remote:
		fmt.Println("refused", uint64(native.ErrorCode))
	case errors.As(err, &web):
		fmt.Println("refused", uint64(web.ErrorCode))
	default:
		check(fmt.Errorf("not refused: %v", err))
	}
	session.CloseWithError(0, "")
}

func closeSession() {
	code, err := strconv.ParseUint(words[2], 10, 32)
	check(err)
	connect(nil).CloseWithError(moqt.SessionErrorCode(code), words[3])
}

func main() {
	readArguments()
	commands := map[string]func(){
		"publish": publish, "watch": watch, "announcements": announcements, "fetch": fetch, "refused": refused,
		"close": closeSession, "serve": serve, "collect": collect, "relay": relay,
	}
	command, known := commands[words[0]]
	if !known {
		check(fmt.Errorf("there is no command %s", words[0]))
	}
	command()
}
