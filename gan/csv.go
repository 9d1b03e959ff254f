package gan

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/pkg/errors"

	"github.com/stheno-ml/stheno/internal/atomicfile"
)

// CSV writes a file with a row for each epoch. It is made when the run begins, so that a path that cannot be written is
// known before hours have passed, and is whole after each epoch. A resumed run keeps the rows of the epochs before it.
func CSV(path string) Callback {
	log := func(r *Run) error { return errors.Wrap(writeCSV(path, r), "log") }
	return Hooks{OnBegin: log, OnEpochEnd: log}
}

func writeCSV(path string, r *Run) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	rows := [][]string{{"epoch", "d_loss", "g_loss", "d_real", "d_fake", "spread", "real_spread", "d_rate", "g_rate", "pictures_per_second", "seconds"}}
	for _, e := range r.History {
		row := []string{strconv.Itoa(e.Epoch)}
		for _, v := range []float64{e.D, e.G, e.Real, e.Fake, e.Spread, e.RealSpread, e.RateD, e.RateG, e.Speed, e.Took.Seconds()} {
			row = append(row, strconv.FormatFloat(v, 'g', 7, 64))
		}
		rows = append(rows, row)
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(rows); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(b.Bytes())
		return err
	})
}
