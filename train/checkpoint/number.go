package checkpoint

import (
	"math"
	"strconv"
	"strings"

	"github.com/pkg/errors"
)

// Number is a float64 in a State, to the bit for all that are numbers; NaN and infinities, which JSON has none of, are
// strings.
type Number float64

// MarshalJSON writes the shortest decimal that reads as the same number.
func (n Number) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(n), 'g', -1, 64)
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		s = `"` + s + `"`
	}
	return []byte(s), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(b []byte) error {
	v, err := strconv.ParseFloat(strings.Trim(string(b), `"`), 64)
	*n = Number(v)
	return errors.Wrap(err, "number")
}
