package data

import (
	"io/fs"
	"slices"
	"strings"

	"github.com/pkg/errors"
)

// Unlabelled is all the pictures of a folder and of the folders in it, at any depth, in the order of their names'
// bytes. Hidden folders, whose names begin with a dot, are left out. There are no classes: all labels are −1.
func Unlabelled(dir string) (*Files, error) {
	f, err := newFiles(dir)
	if err != nil {
		return nil, err
	}
	err = fs.WalkDir(f.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !d.IsDir() && isPicture(name):
			f.paths = append(f.paths, name)
			f.labels = append(f.labels, -1)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Wrap(err, dir)
	}
	if len(f.paths) == 0 {
		return nil, errors.Errorf("%s: no pictures (%s)", dir, strings.Join(extensions, " "))
	}
	slices.Sort(f.paths)
	return f, nil
}
