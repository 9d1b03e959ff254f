// Package atomicfile replaces files whole: a reader sees the old content or the new one, never a part,
// and so does the next start of a machine that lost power half-way.
package atomicfile

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/pkg/errors"
)

// Write makes path hold what fill writes. The bytes go to a temporary file in the same folder, named
// .BASE.RANDOM.tmp, which is synced and then renamed over path; afterwards the folder is synced too, so
// that the new name survives a crash. On any error path is as it was and the temporary file is gone; only
// a process killed in the middle leaves one behind (see Leftovers).
//
// A file that exists keeps its permissions, a new one gets 0666 less the umask.
func Write(path string, fill func(io.Writer) error) error {
	return errors.Wrapf(write(path, fill), "cannot write %s", path)
}

func write(path string, fill func(io.Writer) error) (err error) {
	info, err := os.Stat(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	exists := err == nil
	if exists && info.IsDir() {
		return errors.New("it is a folder")
	}
	f, err := create(path)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if exists {
		if err = f.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	}
	w := bufio.NewWriterSize(f, 1<<16)
	if err = fill(w); err != nil {
		return err
	}
	if err = w.Flush(); err != nil {
		return err
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// create opens a temporary file beside path. os.CreateTemp would do, but for its mode of 0600: only the
// system knows the umask, and it tells through the mode of a file that it creates.
func create(path string) (f *os.File, err error) {
	dir, base := filepath.Split(path)
	for range 100 {
		name := fmt.Sprintf("%s.%s.%08x.tmp", dir, base, rand.Uint32())
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !os.IsExist(err) {
			break
		}
	}
	return f, err
}

// Leftovers removes the temporary files that killed writers of path left beside it. It must not be called
// while another process may be writing path.
func Leftovers(path string) error {
	dir, base := filepath.Dir(path), filepath.Base(path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return errors.WithStack(err)
	}
	for _, e := range entries {
		random, ours := strings.CutPrefix(e.Name(), "."+base+".")
		random, tmp := strings.CutSuffix(random, ".tmp")
		if !ours || !tmp || len(random) != 8 {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return errors.WithStack(err)
		}
	}
	return nil
}

func syncFolder(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // folders cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
