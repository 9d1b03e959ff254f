//go:build !unix

package bench

import (
	"runtime"
	"time"
)

func ownBusy() time.Duration { return 0 }

func cores() int { return runtime.NumCPU() }
