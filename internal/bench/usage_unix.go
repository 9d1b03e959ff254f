//go:build unix

package bench

import (
	"runtime"
	"syscall"
	"time"
)

// ownBusy is the processor time that this process has used.
func ownBusy() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

func cores() int { return runtime.NumCPU() }
