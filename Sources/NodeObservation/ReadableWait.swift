internal import EventLoop
internal import LinuxSystem

/// Returns when a descriptor is readable, the deadline has passed or the task is cancelled, whichever comes first.
/// Returns at once if this process cannot have a thread for it; then nothing else works either.
func waitReadable(_ descriptor: borrowing Descriptor, until deadline: ContinuousClock.Instant) async {
    guard let loop = try? EventLoop.shared.get() else { return }
    _ = await loop.readable(descriptor.number, until: deadline, endsWithTask: true)
}
