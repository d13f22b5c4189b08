package realtime

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/coder/websocket"
)

// firstBuffer is what a direction of a session begins with, and maxMessage what
// it holds of one message, in bytes; longer ones pass in pieces.
const (
	firstBuffer = 4 << 10
	maxMessage  = 256 << 10
)

// fromClient passes on what the client says.
func (s *Session) fromClient(ctx context.Context, ended chan<- End) {
	first := s.Opening != nil
	s.pump(ctx, Client, s.near, s.far, ended, func(message []byte) ([]byte, string, error) {
		if !first {
			return message, "", nil
		}
		first = false
		return s.Opening(message)
	})
}

// fromProvider passes on what the provider says.
func (s *Session) fromProvider(ctx context.Context, ended chan<- End) {
	s.pump(ctx, Provider, s.far, s.near, ended, func(message []byte) ([]byte, string, error) {
		if s.Heard != nil {
			s.Heard(message)
		}
		return message, "", nil
	})
}

// pump forwards messages from one side to the other until reading fails. When
// writing fails, the other direction's pump reports why.
func (s *Session) pump(ctx context.Context, of Side, from, to *websocket.Conn, ended chan<- End, look func([]byte) ([]byte, string, error)) {
	end := End{From: of, Code: NoCode, Err: errors.New("internal error")}
	defer func() { ended <- end }()
	defer s.rescue()
	buf := make([]byte, firstBuffer)
	for {
		kind, r, err := from.Reader(ctx)
		var n int
		whole := false
		if err == nil {
			s.touch()
			buf, n, whole, err = readMessage(r, buf)
		}
		if err != nil {
			end = endOf(of, err)
			return
		}
		if whole {
			message, told, err := look(buf[:n])
			if err != nil {
				end = End{of, websocket.StatusPolicyViolation, told, err}
				return
			}
			err = to.Write(ctx, kind, message)
			if err == nil {
				if len(buf) > maxMessage/4 {
					buf = make([]byte, firstBuffer)
				}
				continue
			}
		} else {
			unread, unwritten := pass(ctx, to, kind, buf[:n], r)
			if unread != nil {
				end = endOf(of, unread)
				return
			}
			if unwritten == nil {
				continue
			}
		}
		<-ctx.Done() // the other pump has the reason
		end = End{From: of, Code: NoCode, Err: ctx.Err()}
		return
	}
}

// readMessage reads a message into buf, which grows; whole is false when it is
// longer than what is held.
func readMessage(r io.Reader, buf []byte) (_ []byte, n int, whole bool, err error) {
	for {
		if n == len(buf) {
			if n >= maxMessage && !bytes.Contains(buf[:512], []byte(`"response.done"`)) {
				return buf, n, false, nil
			}
			buf = append(buf, make([]byte, len(buf))...)
		}
		m, err := r.Read(buf[n:])
		n += m
		if err == io.EOF {
			return buf, n, true, nil
		}
		if err != nil {
			return buf, n, false, err
		}
	}
}

// pass sends the head of a long message, and the rest as it arrives. unread is the
// error of reading, unwritten that of writing.
func pass(ctx context.Context, to *websocket.Conn, kind websocket.MessageType, head []byte, rest io.Reader) (unread, unwritten error) {
	w, err := to.Writer(ctx, kind)
	if err != nil {
		return nil, err
	}
	for n := len(head); ; {
		if _, err := w.Write(head[:n]); err != nil {
			return nil, err
		}
		n, err = rest.Read(head)
		switch {
		case err == io.EOF && n == 0:
			return nil, w.Close()
		case err != nil && err != io.EOF:
			return err, nil
		}
	}
}

// endOf returns how a side ended whose connection can no longer be read.
func endOf(of Side, err error) End {
	var frame websocket.CloseError
	if errors.As(err, &frame) {
		return End{of, frame.Code, frame.Reason, err}
	}
	return End{of, NoCode, "", err}
}
