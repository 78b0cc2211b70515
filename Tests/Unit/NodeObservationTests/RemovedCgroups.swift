import Glibc

/// Removes cgroups, children first; their last process may still be leaving.
func removeCgroups(_ directories: [String]) {
    for directory in directories {
        for _ in 0..<200 {
            if unsafe rmdir(directory) == 0 || errno != EBUSY { break }
            usleep(10_000)
        }
    }
}
