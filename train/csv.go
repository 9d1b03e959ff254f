package train

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pkg/errors"
)

// CSV writes a file with a row for each epoch. The file is made when the run begins, so that a path that
// cannot be written is known before hours have passed, and is up to date after each epoch.
func CSV(path string) Callback {
	c := &csvLog{path: path}
	return Hooks{OnBegin: c.begin, OnEpochEnd: c.epoch, OnEnd: c.end}
}

type csvLog struct {
	path string
	file *os.File
	csv  *csv.Writer
}

func (c *csvLog) begin(*Run) error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return errors.Wrap(err, "log")
	}
	f, err := os.Create(c.path)
	if err != nil {
		return errors.Wrap(err, "log")
	}
	c.file, c.csv = f, csv.NewWriter(f)
	return c.write([]string{"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "rate", "examples_per_second", "seconds"})
}

func (c *csvLog) epoch(r *Run) error {
	e := r.History[len(r.History)-1]
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 7, 64) }
	val := []string{"", ""}
	if e.Validated {
		val = []string{number(e.ValLoss), number(e.ValAccuracy)}
	}
	return c.write([]string{strconv.Itoa(e.Epoch), number(e.Loss), number(e.Accuracy), val[0], val[1], number(e.Rate), number(e.Speed), number(e.Took.Seconds())})
}

func (c *csvLog) write(row []string) error {
	if err := c.csv.Write(row); err != nil {
		return errors.Wrap(err, "log")
	}
	c.csv.Flush()
	return errors.Wrap(c.csv.Error(), "log")
}

func (c *csvLog) end(*Run) error {
	if c.file == nil {
		return nil
	}
	f := c.file
	c.file = nil
	return errors.Wrap(f.Close(), "log")
}
