package train

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// CSV writes a file with a row for each epoch. The file is made when the run begins, so that a path that
// cannot be written is known before hours have passed, and is whole after each epoch. A resumed run keeps
// the rows of the epochs before it.
func CSV(path string) Callback { return &csvLog{path: path} }

type csvLog struct {
	quiet
	path    string
	metrics []string // columns of their own
	rows    [][]string
}

func (c *csvLog) Key() string                     { return "csv" }
func (c *csvLog) State() (json.RawMessage, error) { return json.Marshal(c.rows) }
func (c *csvLog) Restore(b json.RawMessage) error { return restoreJSON(b, &c.rows) }

func (c *csvLog) Begin(r *Run) error {
	if err := os.MkdirAll(filepath.Dir(c.path), 0o755); err != nil {
		return errors.Wrap(err, "log")
	}
	if err := atomicfile.Leftovers(c.path); err != nil {
		return errors.Wrap(err, "log")
	}
	for _, m := range r.Config.Metrics {
		c.metrics = append(c.metrics, m.Name())
	}
	return c.write()
}

func (c *csvLog) EpochEnd(r *Run) error {
	e := r.History[len(r.History)-1]
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', 7, 64) }
	val := []string{"", ""}
	if e.Validated {
		val = []string{number(e.ValLoss), number(e.ValAccuracy)}
	}
	row := []string{strconv.Itoa(e.Epoch), number(e.Loss), number(e.Accuracy), val[0], val[1], number(e.Rate), number(e.Speed), number(e.Took.Seconds())}
	for _, name := range c.metrics {
		row = append(row, number(e.Metrics[name]))
	}
	c.rows = append(c.rows, row)
	return c.write()
}

func (c *csvLog) write() error {
	head := []string{"epoch", "loss", "accuracy", "val_loss", "val_accuracy", "rate", "examples_per_second", "seconds"}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{slices.Concat(head, c.metrics)}, c.rows...)); err != nil {
		return errors.Wrap(err, "log")
	}
	err := atomicfile.Write(c.path, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
	return errors.Wrap(err, "log")
}
