package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 15 * time.Second}).DialContext,
			TLSHandshakeTimeout:   15 * time.Second,
			ResponseHeaderTimeout: 30 * time.Second,
			DisableCompression:    true, // offsets count the bytes of the file
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= 10 {
				return errors.New("10 redirects")
			}
			if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return errors.Errorf("redirect from https to %s", r.URL.Redacted())
			}
			return nil
		},
	}
}

// permanent is an error that another attempt cannot help.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// origin is what the server said of the file that a part is of. It is kept beside the part: a resumed download
// must not join parts of two files.
type origin struct {
	URL       string
	Validator string // ETag or Last-Modified
	Size      int64  // −1 where the server does not tell
}

// download fetches an address into part and gives the digest of its content, which begins with want.
func download(ctx context.Context, address, part, want string, o Options) (string, error) {
	pause, replaced := o.Pause, false
	for attempt := 1; ; attempt++ {
		before := size(part)
		resumed, err := once(ctx, address, part, o)
		if err == nil {
			got, err := sum(part)
			if err != nil || strings.HasPrefix(got, want) {
				return got, err
			}
			os.Remove(part)
			err = errors.Errorf("%s sent a file with SHA-256 %s, want %s", address, got, want)
			// A part that was resumed may have been damaged on this side: once more from the start.
			if !resumed || replaced {
				return "", err
			}
			replaced = true
			o.Notice("%v; starting over", err)
			continue
		}
		var p permanent
		if ctx.Err() != nil {
			return "", errors.WithStack(ctx.Err())
		}
		if errors.As(err, &p) {
			return "", p.error
		}
		if size(part) > before {
			attempt, pause = 0, o.Pause
		}
		if attempt >= o.Attempts {
			return "", errors.WithMessagef(err, "%d attempts", attempt)
		}
		wait := pause
		var later retryAfter
		if errors.As(err, &later) && later.wait > wait {
			wait = later.wait
		}
		o.Notice("%s: %v; again in %v", address, err, wait)
		select {
		case <-ctx.Done():
			return "", errors.WithStack(ctx.Err())
		case <-time.After(wait):
		}
		pause = min(2*pause, time.Minute)
	}
}

// retryAfter is an answer that names the time for another attempt.
type retryAfter struct {
	error
	wait time.Duration
}

// once makes one request. resumed tells whether what came before it counts.
func once(ctx context.Context, address, part string, o Options) (resumed bool, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := errors.Errorf("no byte for %v", o.Stall)
	watch := time.AfterFunc(o.Stall, func() { cancel(stalled) })
	defer watch.Stop()
	defer func() {
		if err != nil && context.Cause(ctx) == stalled {
			err = stalled
		}
	}()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return false, permanent{errors.WithStack(err)}
	}
	from, have := readOrigin(part), size(part)
	if have > 0 && from.URL == address && from.Validator != "" {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		// With a weak ETag or a date alone the server would send everything; what it says is compared below.
		if strings.HasPrefix(from.Validator, `"`) {
			req.Header.Set("If-Range", from.Validator)
		}
	} else {
		have = 0
	}
	resp, err := o.Client.Do(req)
	if err != nil {
		if strings.Contains(err.Error(), "redirect") {
			return false, permanent{errors.WithStack(err)}
		}
		return false, errors.WithStack(err)
	}
	defer resp.Body.Close()
	now := origin{address, validator(resp.Header), -1}
	switch {
	case resp.StatusCode == http.StatusOK:
		have, now.Size = 0, resp.ContentLength
	case resp.StatusCode == http.StatusPartialContent && have > 0:
		first, total, ok := contentRange(resp.Header.Get("Content-Range"))
		if !ok || first != have || now.Validator != from.Validator || from.Size >= 0 && total >= 0 && total != from.Size {
			return false, discard(part, "the server's file is another one than before")
		}
		now.Size = total
		if total < 0 && resp.ContentLength >= 0 {
			now.Size = have + resp.ContentLength
		}
	case resp.StatusCode == http.StatusRequestedRangeNotSatisfiable && have > 0:
		if have == from.Size {
			return true, nil // the last attempt ended after the last byte
		}
		return false, discard(part, "the server's file is shorter than what is here")
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout || resp.StatusCode >= 500:
		return false, retryAfter{errors.Errorf("the server answered %s", resp.Status), seconds(resp.Header.Get("Retry-After"))}
	default:
		return false, permanent{errors.Errorf("%s: the server answered %s", resp.Request.URL.Redacted(), resp.Status)}
	}
	if now.Size > o.MaxBytes {
		return false, permanent{errors.Errorf("%s has %d bytes, want at most %d", address, now.Size, o.MaxBytes)}
	}
	if have == 0 {
		if err := writeOrigin(part, now); err != nil {
			return false, permanent{err}
		}
	}
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o666)
	if err == nil {
		err = f.Truncate(have)
	}
	if err == nil {
		_, err = f.Seek(have, io.SeekStart)
	}
	if err != nil {
		return false, permanent{errors.WithStack(err)}
	}
	defer f.Close()
	done := have
	buf := make([]byte, 1<<17)
	for {
		n, err := resp.Body.Read(buf)
		if n > 0 {
			watch.Reset(o.Stall)
			if done += int64(n); done > o.MaxBytes {
				return false, permanent{errors.Errorf("%s sends more than %d bytes", address, o.MaxBytes)}
			}
			if _, err := f.Write(buf[:n]); err != nil {
				return false, permanent{errors.WithStack(err)}
			}
			o.Progress(done, now.Size)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return have > 0, errors.WithStack(err)
		}
	}
	if now.Size >= 0 && done != now.Size {
		return have > 0, errors.Errorf("%d bytes came, %d were announced", done, now.Size)
	}
	return have > 0, errors.WithStack(f.Sync())
}

// discard removes a part that cannot be resumed.
func discard(part, why string) error {
	if err := os.Remove(part); err != nil {
		return permanent{errors.WithStack(err)}
	}
	return errors.New(why)
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// validator tells one state of a file on the server from another.
func validator(h http.Header) string {
	if tag := h.Get("ETag"); tag != "" {
		return tag
	}
	return h.Get("Last-Modified")
}

// contentRange reads "bytes 5-9/10"; total is −1 for "*".
func contentRange(s string) (first, total int64, ok bool) {
	span, all, ok := strings.Cut(strings.TrimPrefix(s, "bytes "), "/")
	begin, _, dash := strings.Cut(span, "-")
	first, err := strconv.ParseInt(begin, 10, 64)
	if !ok || !dash || err != nil {
		return 0, 0, false
	}
	if all == "*" {
		return first, -1, true
	}
	total, err = strconv.ParseInt(all, 10, 64)
	return first, total, err == nil && total >= 0
}

// seconds reads Retry-After; a date, or more than five minutes, is not waited for.
func seconds(s string) time.Duration {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return time.Duration(min(n, 300)) * time.Second
}

func readOrigin(part string) origin {
	var from origin
	b, err := os.ReadFile(part + ".from")
	if err != nil || json.Unmarshal(b, &from) != nil {
		return origin{}
	}
	return from
}

func writeOrigin(part string, from origin) error {
	return atomicfile.Write(part+".from", func(w io.Writer) error { return json.NewEncoder(w).Encode(from) })
}
