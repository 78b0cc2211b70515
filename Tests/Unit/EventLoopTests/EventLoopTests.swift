import EventLoop
import Foundation
import Testing

@Suite struct EventLoopTests {
    private let loop: EventLoop

    init() throws { loop = try EventLoop.shared.get() }

    @Test func readableOrLate() async throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        #expect(await loop.readable(descriptor, until: .now + .milliseconds(20)) == false)
        try pipe.fileHandleForWriting.write(contentsOf: [1])
        #expect(await loop.readable(descriptor, until: .now + .seconds(20)))
    }

    /// The loop's thread was busy, or the whole process stopped, while both happened.
    @Test func whatIsReadableAtItsDeadlineIsReadable() async throws {
        let pipe = Pipe()
        async let isReadable = loop.readable(
            pipe.fileHandleForReading.fileDescriptor, until: .now + .milliseconds(100))
        try await Task.sleep(for: .milliseconds(20))
        let busy = Task(executorPreference: loop) { keepBusy(seconds: 0.3) }
        // The timer is first in the kernel's list.
        try await Task.sleep(for: .milliseconds(200))
        try pipe.fileHandleForWriting.write(contentsOf: [1])
        await busy.value
        #expect(await isReadable)
    }

    /// Of a regular file epoll(7) knows nothing. Whoever looks again after each wait does not spin.
    @Test func whatCannotBeWaitedForEndsSoonAndNotAtOnce() async throws {
        let file = try FileHandle(forReadingFrom: URL(filePath: #filePath))
        let began = ContinuousClock.now
        #expect(await loop.readable(file.fileDescriptor, until: began + .seconds(20)) == false)
        #expect((.milliseconds(90) ... .seconds(10)).contains(.now - began))
    }

    @Test func endsWithItsTask() async throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForReading.fileDescriptor
        let task = Task { await loop.readable(descriptor, until: .now + .seconds(20), endsWithTask: true) }
        try await Task.sleep(for: .milliseconds(20))
        task.cancel()
        #expect(await task.value == false)
    }
}

private func keepBusy(seconds: Double) { Thread.sleep(forTimeInterval: seconds) }
