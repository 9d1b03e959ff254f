package hub

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// answer is how the server treats one request for content.
type answer func(w http.ResponseWriter, r *http.Request, content []byte)

// honest serves ranges, with a validator.
func honest(w http.ResponseWriter, r *http.Request, content []byte) {
	digest := sha256.Sum256(content)
	w.Header().Set("ETag", `"`+hex.EncodeToString(digest[:4])+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// cut promises all and sends the first n bytes of what was asked for.
func cut(n int) answer {
	return func(w http.ResponseWriter, r *http.Request, content []byte) {
		honest(&short{ResponseWriter: w, left: n}, r, content)
	}
}

// short ends a connection after some bytes.
type short struct {
	http.ResponseWriter
	left int
}

func (s *short) Write(b []byte) (int, error) {
	if len(b) > s.left {
		s.ResponseWriter.Write(b[:s.left])
		s.ResponseWriter.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	s.left -= len(b)
	return s.ResponseWriter.Write(b)
}

func status(code int) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) { w.WriteHeader(code) }
}

// stall sends half and then nothing, until the client gives up.
func stall(w http.ResponseWriter, r *http.Request, content []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content[:len(content)/2])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// ignoreRange sends everything whatever was asked for.
func ignoreRange(w http.ResponseWriter, r *http.Request, content []byte) {
	w.Header().Set("ETag", `"all"`)
	w.Write(content)
}

// wrongRange says 206 but sends from the start.
func wrongRange(w http.ResponseWriter, r *http.Request, content []byte) {
	if r.Header.Get("Range") == "" {
		honest(w, r, content)
		return
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", len(content)-1, len(content)))
	w.WriteHeader(http.StatusPartialContent)
	w.Write(content)
}

// other serves another file of the same length.
func other(w http.ResponseWriter, r *http.Request, content []byte) {
	lie := bytes.Clone(content)
	for i := range lie {
		lie[i] ^= 0x55
	}
	honest(w, r, lie)
}

// quietChange joins the tail of another file to what came before, under the same validator.
func quietChange(w http.ResponseWriter, r *http.Request, content []byte) {
	digest := sha256.Sum256(content)
	w.Header().Set("ETag", `"`+hex.EncodeToString(digest[:4])+`"`)
	lie := bytes.Clone(content)
	lie[len(lie)-1] ^= 1
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(lie))
}

// endless sends more than it said, or could.
func endless(w http.ResponseWriter, r *http.Request, content []byte) {
	for r.Context().Err() == nil {
		if _, err := w.Write(content); err != nil {
			return
		}
	}
}

func unknownLength(w http.ResponseWriter, r *http.Request, content []byte) {
	w.(http.Flusher).Flush()
	w.Write(content)
}

func redirect(times int) answer {
	return func(w http.ResponseWriter, r *http.Request, content []byte) {
		n, _ := strconv.Atoi(r.URL.Query().Get("n"))
		if n == times {
			honest(w, r, content)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("%s?n=%d", r.URL.Path, n+1), http.StatusFound)
	}
}

// server answers requests by the script, and with the last answer from then on.
type server struct {
	*httptest.Server
	content  []byte
	requests atomic.Int64
}

func serve(t *testing.T, script ...answer) *server {
	t.Helper()
	s := &server{content: make([]byte, 300_000)}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range s.content {
		s.content[i] = byte(r.Uint32())
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(s.requests.Add(1)) - 1
		script[min(n, len(script)-1)](w, r, s.content)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) digest() string {
	d := sha256.Sum256(s.content)
	return hex.EncodeToString(d[:])
}

func (s *server) weights(digest string) Weights {
	return Weights{Name: "net", Network: "net", URL: s.URL + "/files/net-1.pth", SHA256: digest}
}

// quick is options for a server on this machine.
func quick(t *testing.T) Options {
	return Options{Dir: t.TempDir(), Pause: time.Millisecond, Stall: 200 * time.Millisecond, Attempts: 3}
}

// TestFetch has servers that fail, stall, truncate, ignore ranges, redirect and lie.
func TestFetch(t *testing.T) {
	for _, c := range []struct {
		name   string
		script []answer
		err    string // "" for success
		most   int64  // requests
	}{
		{"honest", []answer{honest}, "", 1},
		{"length unknown", []answer{unknownLength}, "", 1},
		{"fails twice", []answer{status(503), status(500), honest}, "", 3},
		{"too many requests", []answer{status(429), honest}, "", 2},
		{"fails always", []answer{status(502)}, "502", 3},
		{"not found", []answer{status(404)}, "404", 1},
		{"forbidden", []answer{status(403)}, "403", 1},
		{"truncates, resumed", []answer{cut(100_000), cut(100_000), honest}, "", 3},
		{"truncates by little", []answer{cut(60_000)}, "", 5},
		{"truncates at once", []answer{cut(0)}, "3 attempts", 3},
		{"truncates and ignores ranges", []answer{cut(100_000), ignoreRange}, "", 2},
		{"range from elsewhere", []answer{cut(100_000), wrongRange}, "", 3},
		{"stalls", []answer{stall, honest}, "", 2},
		{"stalls always", []answer{cut(1000), stall}, "no byte for", 8},
		{"redirects", []answer{redirect(3)}, "", 4},
		{"redirects in circles", []answer{redirect(-1)}, "10 redirects", 11},
		{"lies", []answer{other}, "sent a file with SHA-256", 1},
		{"changes in between", []answer{cut(100_000), other, honest}, "sent a file with SHA-256", 2},
		{"changes unseen", []answer{cut(100_000), quietChange, honest}, "", 3},
		{"range not satisfiable", []answer{cut(100_000), status(416), honest}, "", 3},
		{"sends without end", []answer{endless}, "more than 1000000 bytes", 1},
		{"empty", []answer{func(http.ResponseWriter, *http.Request, []byte) {}}, "sent a file with SHA-256", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, c.script...)
			o := quick(t)
			o.MaxBytes = 1_000_000
			var done int64
			o.Progress = func(d, _ int64) { done = d }
			f, err := Fetch(context.Background(), s.weights(s.digest()), o)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want %q", err, c.err)
			}
			if n := s.requests.Load(); n > c.most {
				t.Errorf("%d requests, want at most %d", n, c.most)
			}
			final := filepath.Join(o.Dir, "net-1.pth")
			if err != nil {
				if _, err := os.Stat(final); err == nil {
					t.Error("the file has its name in spite of the error")
				}
				return
			}
			got, err := os.ReadFile(f.Path)
			if err != nil || !bytes.Equal(got, s.content) || f.Path != final || !f.Verified || f.SHA256 != s.digest() {
				t.Errorf("%+v, error %v, %d bytes", f, err, len(got))
			}
			if done != int64(len(s.content)) {
				t.Errorf("progress ended at %d, want %d", done, len(s.content))
			}
			if left, _ := filepath.Glob(filepath.Join(o.Dir, "*.part*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
			// From then on no request is made, even if it was allowed.
			before := s.requests.Load()
			o.Offline = true
			if _, err := Fetch(context.Background(), s.weights(s.digest()), o); err != nil || s.requests.Load() != before {
				t.Errorf("again: error %v, %d requests", err, s.requests.Load()-before)
			}
		})
	}
}

// TestResumes wants a second call, as after a killed process, to ask for the rest only.
func TestResumes(t *testing.T) {
	var asked []string
	s := serve(t, cut(200_000), status(404), func(w http.ResponseWriter, r *http.Request, content []byte) {
		asked = append(asked, r.Header.Get("Range"))
		honest(w, r, content)
	})
	o := quick(t)
	if _, err := Fetch(context.Background(), s.weights(s.digest()), o); err == nil {
		t.Fatal("no error")
	}
	part := size(filepath.Join(o.Dir, "net-1.pth.part"))
	if part == 0 || part > 200_000 {
		t.Fatalf("the part has %d bytes", part)
	}
	if _, err := Fetch(context.Background(), s.weights(s.digest()), o); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("bytes=%d-", part); len(asked) != 1 || asked[0] != want {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

// TestTrust: without a digest the first download counts, and later ones are compared with it.
func TestTrust(t *testing.T) {
	s := serve(t, honest)
	o := quick(t)
	var notices []string
	o.Notice = func(format string, a ...any) { notices = append(notices, fmt.Sprintf(format, a...)) }
	f, err := Fetch(context.Background(), s.weights(""), o)
	if err != nil || f.Verified || f.SHA256 != s.digest() {
		t.Fatalf("%+v, error %v; want one that is not verified", f, err)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "on trust") {
		t.Errorf("notices %q", notices)
	}
	// The first digits alone are not a proof either.
	if f, err := Fetch(context.Background(), s.weights(s.digest()[:8]), o); err != nil || f.Verified {
		t.Errorf("%+v, error %v", f, err)
	}
	// Who knows the digest gets certainty.
	o.SHA256 = s.digest()
	if f, err := Fetch(context.Background(), s.weights(""), o); err != nil || !f.Verified {
		t.Errorf("%+v, error %v", f, err)
	}
	o.SHA256 = ""
	if err := os.WriteFile(f.Path, append([]byte("x"), s.content[1:]...), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Fetch(context.Background(), s.weights(""), o); err == nil || !strings.Contains(err.Error(), "when it was downloaded") {
		t.Errorf("damaged: error %v", err)
	}
	if _, err := Fetch(context.Background(), s.weights(s.digest()[:8]), o); err == nil || !strings.Contains(err.Error(), "damaged or another file") {
		t.Errorf("damaged, some digits known: error %v", err)
	}
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestBadRequests(t *testing.T) {
	s := serve(t, honest)
	for name, c := range map[string]struct {
		w    Weights
		o    Options
		want string
	}{
		"offline":        {s.weights(""), Options{Offline: true}, "Offline"},
		"digest":         {s.weights("xyz"), Options{}, "hexadecimal"},
		"short digest":   {s.weights(""), Options{SHA256: "abcd"}, "64 hexadecimal"},
		"other digest":   {s.weights("00"), Options{SHA256: s.digest()}, "is known"},
		"file address":   {Weights{Name: "a", URL: "file:///etc/passwd"}, Options{}, "want https"},
		"no address":     {Weights{Name: "a"}, Options{}, "want https"},
		"no file":        {Weights{Name: "a", URL: s.URL + "/"}, Options{}, "no name for a file"},
		"up":             {Weights{Name: "a", URL: s.URL + "/.."}, Options{}, "no name for a file"},
		"up in the name": {Weights{Name: "../../a", URL: s.URL + "/model.safetensors"}, Options{}, "no name for a file"},
	} {
		c.o.Dir = t.TempDir()
		if _, err := Fetch(context.Background(), c.w, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
	if n := s.requests.Load(); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

// TestDowngrade: a redirect from https to http could be anyone's.
func TestDowngrade(t *testing.T) {
	plain := serve(t, honest)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	o := quick(t)
	o.Client = newClient()
	o.Client.Transport = secure.Client().Transport
	_, err := Fetch(context.Background(), Weights{Name: "a", URL: secure.URL + "/a.pth"}, o)
	if err == nil || !strings.Contains(err.Error(), "redirect from https") || plain.requests.Load() != 0 {
		t.Errorf("error %v, %d requests", err, plain.requests.Load())
	}
}

func TestCancel(t *testing.T) {
	s := serve(t, stall)
	o := quick(t)
	o.Stall = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	o.Progress = func(int64, int64) { cancel() }
	if _, err := Fetch(ctx, s.weights(""), o); err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("error %v", err)
	}
}

// TestProcesses starts processes that all want the same file. One downloads it.
func TestProcesses(t *testing.T) {
	if address := os.Getenv("STHENO_HUB_TEST"); address != "" {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Fetch(context.Background(), Weights{Name: "net", URL: address, SHA256: u.Query().Get("sha")}, Options{Dir: os.Getenv("STHENO_HUB_DIR")})
		if err != nil || !f.Verified {
			t.Fatalf("%+v, error %v", f, err)
		}
		return
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request, content []byte) {
		time.Sleep(50 * time.Millisecond) // so that the others come in between
		honest(w, r, content)
	})
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 3 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c := exec.Command(os.Args[0], "-test.run=^TestProcesses$")
			c.Env = append(os.Environ(), "STHENO_HUB_TEST="+s.URL+"/net-1.pth?sha="+s.digest(), "STHENO_HUB_DIR="+dir)
			if out, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		}()
	}
	wg.Wait()
	if n := s.requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestLockWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 120*time.Millisecond)
	defer cancel()
	if _, err := lock(ctx, path); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("error %v", err)
	}
	unlock()
	unlock, err = lock(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// TestTable checks what can be checked without the network.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range All() {
		if w.License == "" || w.Network == "" || !strings.HasPrefix(w.URL, "https://") {
			t.Errorf("%s: %+v", w.Name, w)
		}
		file, err := w.fileName()
		if err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		if seen[w.Name] || seen[file] {
			t.Errorf("%s or %s is there twice", w.Name, file)
		}
		seen[w.Name], seen[file] = true, true
		if _, err := w.digest(""); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		if err := w.Preprocess.Check(3); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		if got, err := Find(w.Name); err != nil || got.URL != w.URL {
			t.Errorf("Find(%q): %+v, %v", w.Name, got, err)
		}
	}
	if _, err := Find("resnet50.v9"); err == nil || !strings.Contains(err.Error(), "resnet50, resnet50.v2") {
		t.Errorf("error %v, want one that lists the others", err)
	}
	if _, err := Find("nonsense"); err == nil {
		t.Error("no error")
	}
}
