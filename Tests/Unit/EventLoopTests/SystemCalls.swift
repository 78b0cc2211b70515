import Glibc

func sleepFor(milliseconds: UInt32) { usleep(milliseconds * 1000) }
