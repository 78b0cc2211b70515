import EventLoop
import Foundation
import Testing

@Suite struct OutputQueueTests {
    private let pipe = Pipe()

    private func queue(bound: Int) -> OutputQueue {
        OutputQueue(descriptor: pipe.fileHandleForWriting.fileDescriptor, bound: bound) { "lost \($0)\n" }
    }

    @Test func keepsOrder() throws {
        let queue = queue(bound: 1 << 20)
        for number in 0..<1000 { queue.add("\(number)\n") }
        #expect(queue.flush() && queue.isIdle)
        try pipe.fileHandleForWriting.close()
        let text = String(decoding: try pipe.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        #expect(text == (0..<1000).map { "\($0)\n" }.joined())
    }

    /// Memory stays bounded, nobody waits, and what was left out is counted where it would have been.
    @Test func nobodyReads() throws {
        let queue = queue(bound: 100_000)
        let line = String(repeating: "x", count: 999) + "\n"
        let began = ContinuousClock.now
        for _ in 0..<10_000 { queue.add(line) }
        queue.add("kept\n", isKept: true)
        #expect(.now - began < .seconds(2))
        #expect(!queue.flush(within: .milliseconds(50)) && !queue.isIdle)
        let reading = pipe.fileHandleForReading
        var text = Data()
        while !text.suffix(5).elementsEqual("kept\n".utf8) { text += reading.availableData }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let whole = lines.count { $0.count == 999 }
        // The bound, and what the kernel takes.
        #expect((100...300).contains(whole), "\(whole)")
        // Where the reader makes room in between, there are several remarks.
        let lost = lines.compactMap { $0.hasPrefix("lost ") ? Int($0.dropFirst(5)) : nil }
        #expect(lost.reduce(0, +) == 10_000 - whole && lines.last == "kept", "\(lost)")
        #expect(queue.flush())
    }
}
