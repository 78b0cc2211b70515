internal import EventLoop

/// Returns when a descriptor is readable, the deadline has come or the task is cancelled: whichever is first. And at once where
/// this process can have no thread for it: then nothing else works either.
func waitReadable(_ descriptor: borrowing Descriptor, until deadline: ContinuousClock.Instant) async {
    guard let loop = try? EventLoop.shared.get() else { return }
    _ = await loop.readable(descriptor.number, until: deadline, endsWithTask: true)
}
