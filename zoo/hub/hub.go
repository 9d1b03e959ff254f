package hub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// Options says how a file is fetched. The zero value is for the whole world outside.
type Options struct {
	Dir      string                        // where files are kept; "" means the user's cache folder, under stheno
	SHA256   string                        // what the file must have, where Weights does not tell all of it
	Offline  bool                          // use no network: a file that is not there is an error
	Progress func(done, total int64)       // called while bytes arrive; total is −1 where the server does not tell
	Notice   func(format string, a ...any) // told of pauses before another attempt and of digests taken on trust

	Client   *http.Client  // nil means one with time-outs; its redirects must not lead from https to http
	Attempts int           // 0 means 5; an attempt that brought bytes does not count
	Pause    time.Duration // before the second attempt, doubled after each; 0 means 1 s
	Stall    time.Duration // an attempt ends when no byte comes for so long; 0 means 30 s
	MaxBytes int64         // of one file; 0 means 4 GiB
}

// File is a file of weights on this machine.
type File struct {
	Path   string
	SHA256 string
	// Verified says that the digest was compared with a published or given one, in full. Otherwise it was only
	// compared with the part that is published, or with that of the first download.
	Verified bool
}

// Fetch gives the file of w, from the folder if it is there and else by downloading it.
func Fetch(ctx context.Context, w Weights, o Options) (File, error) {
	f, err := fetch(ctx, w, o.filled())
	return f, errors.WithMessagef(err, "hub: %s", w.Name)
}

func (o Options) filled() Options {
	if o.Client == nil {
		o.Client = newClient()
	}
	if o.Attempts == 0 {
		o.Attempts = 5
	}
	if o.Pause == 0 {
		o.Pause = time.Second
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 4 << 30
	}
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	if o.Notice == nil {
		o.Notice = func(string, ...any) {}
	}
	return o
}

func fetch(ctx context.Context, w Weights, o Options) (File, error) {
	want, err := w.digest(o.SHA256)
	if err != nil {
		return File{}, err
	}
	name, err := w.fileName()
	if err != nil {
		return File{}, err
	}
	if o.Dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return File{}, errors.Wrap(err, "no cache folder; name one in Options.Dir")
		}
		o.Dir = filepath.Join(base, "stheno")
	}
	if err := os.MkdirAll(o.Dir, 0o777); err != nil {
		return File{}, errors.WithStack(err)
	}
	unlock, err := lock(ctx, filepath.Join(o.Dir, "."+name+".lock"))
	if err != nil {
		return File{}, err
	}
	defer unlock()

	c := cached{path: filepath.Join(o.Dir, name), want: want}
	f, err := c.check(o.Notice)
	if err == nil || !errors.Is(err, os.ErrNotExist) {
		return f, err
	}
	if o.Offline {
		return File{}, errors.Errorf("%s is not there, and Offline forbids to download it from %s", c.path, w.URL)
	}
	got, err := download(ctx, w.URL, c.path+".part", want, o)
	if err != nil {
		return File{}, err
	}
	return c.accept(got, o.Notice)
}

// cached is a file in the folder, with the digest of its first download beside it.
type cached struct {
	path string
	want string // digits of the digest, "" for none
}

func (c cached) record() string { return c.path + ".sha256" }

// check compares the file that is there with its digests; os.ErrNotExist if there is none.
func (c cached) check(notice func(string, ...any)) (File, error) {
	got, err := sum(c.path)
	if err != nil {
		return File{}, err
	}
	if !strings.HasPrefix(got, c.want) {
		return File{}, errors.Errorf("%s has SHA-256 %s, want %s: damaged or another file; remove it to download it again", c.path, got, c.want)
	}
	f := File{c.path, got, len(c.want) == 2*sha256.Size}
	recorded, err := os.ReadFile(c.record())
	switch {
	case err == nil && strings.TrimSpace(string(recorded)) != got && !f.Verified:
		return File{}, errors.Errorf("%s has SHA-256 %s, but %s when it was downloaded: damaged; remove both it and %s to download it again",
			c.path, got, strings.TrimSpace(string(recorded)), c.record())
	case err != nil && !os.IsNotExist(err):
		return File{}, errors.WithStack(err)
	case err != nil:
		return f, c.remember(f, notice)
	}
	return f, nil
}

// accept gives a finished download its name.
func (c cached) accept(got string, notice func(string, ...any)) (File, error) {
	f := File{c.path, got, len(c.want) == 2*sha256.Size}
	// The digest is written first: a file without one would be taken on trust a second time.
	if err := c.remember(f, notice); err != nil {
		return File{}, err
	}
	if err := os.Rename(c.path+".part", c.path); err != nil {
		return File{}, errors.WithStack(err)
	}
	os.Remove(c.path + ".part.from")
	return f, nil
}

func (c cached) remember(f File, notice func(string, ...any)) error {
	if !f.Verified {
		notice("%s: SHA-256 %s is taken on trust and recorded; only %d of its digits are known", c.path, f.SHA256, len(c.want))
	}
	return atomicfile.Write(c.record(), func(w io.Writer) error {
		_, err := io.WriteString(w, f.SHA256+"\n")
		return err
	})
}

func sum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", errors.WithStack(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", errors.Wrap(err, path)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// digest is what is known of the file's digest, by the table and by the caller, who may know more but not other.
func (w Weights) digest(given string) (string, error) {
	known, given := strings.ToLower(w.SHA256), strings.ToLower(given)
	for _, d := range []string{known, given} {
		if len(d) > 2*sha256.Size || strings.Trim(d, "0123456789abcdef") != "" {
			return "", errors.Errorf("SHA-256 %q, want up to %d hexadecimal digits", d, 2*sha256.Size)
		}
	}
	if given != "" && len(given) != 2*sha256.Size {
		return "", errors.Errorf("SHA-256 %q, want %d hexadecimal digits", given, 2*sha256.Size)
	}
	if given == "" {
		return known, nil
	}
	if !strings.HasPrefix(given, known) {
		return "", errors.Errorf("SHA-256 %s was given, but %s is known", given, known)
	}
	return given, nil
}

// fileName is the name of the file in the folder: it cannot lead out of it.
func (w Weights) fileName() (string, error) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return "", errors.Errorf("address %q, want https://…", w.URL)
	}
	name := path.Base(u.Path)
	if name == "model.safetensors" || name == "pytorch_model.bin" {
		name = w.Name + path.Ext(name) // what the model hub calls all of them
	}
	if w.Name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, `/\:`) || len(name) > 200 {
		return "", errors.Errorf("name %q and address %q give no name for a file", w.Name, w.URL)
	}
	return name, nil
}
