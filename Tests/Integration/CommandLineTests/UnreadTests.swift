import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// A full pipe that nobody reads holds up no removal: the program waits at its end alone.
@Suite(.serialized) struct UnreadTests {
    @Test(arguments: [["--json"], []]) func output(_ options: [String]) throws {
        try withPodNode { node in
            let pods = try (0..<3).map { try node.pod("pod-\($0)") }
            for pod in pods { #expect(try node.register(pod).status == 0) }
            let pipe = try FullPipe("\(node.library)/pipe")
            let running = try node.start(["remove"] + options + pods.map(\.id), output: pipe.path)
            let deadline = ContinuousClock.now + .seconds(20)
            while !pods.allSatisfy({ $0.leftovers().isEmpty }), .now < deadline { Thread.sleep(forTimeInterval: 0.01) }
            for pod in pods { #expect(pod.leftovers() == []) }
            #expect(try running.program.wait(seconds: 0.5) == nil)
            let text = try pipe.read()
            #expect(try running.program.wait(seconds: 20) == .exited(0))
            let ends = text.split(separator: "\n").filter {
                options.isEmpty ? $0.hasPrefix("removed ") : $0.contains("\"event\":\"report\"")
            }
            #expect(ends.count >= pods.count, "\(text)")
        }
    }
}
