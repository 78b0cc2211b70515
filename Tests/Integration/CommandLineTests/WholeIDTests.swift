import Foundation
import SamplePod
import TestNode
import TestPods
import Testing

/// What acts takes whole ids: whoever asks again for what is gone never means another.
@Suite(.serialized) struct WholeIDTests {
    /// A caller asks twice, as kubelets do.
    @Test(arguments: ["remove", "stop"])
    func aSecondCallForWeb1LeavesWeb10Alone(_ verb: String) throws {
        try withPodNode { node in
            for (sandbox, container) in [("web-1", "c1"), ("web-10", "c10")] {
                try node.sandbox(sandbox)
                try node.run(container)
                #expect(try node.register(sandbox, [container]).status == 0)
            }
            let other = try node.leftovers(of: "web-10", ["c10"])
            let record = try node.podreap(["inspect", "web-10"])
            #expect(try node.podreap(["remove", "web-1"]).status == 0)
            let again = try node.podreap([verb, "web-1"])
            #expect(again.status == 0 && again.output == "", "\(again)")
            #expect(
                again.errors == """
                    podreap: warning: no sandbox web-1 is registered, so nothing is to be done; web-1 was removed before
                    podreap: ids that begin so: web-10. Give the whole one

                    """)
            #expect(try node.leftovers(of: "web-10", ["c10"]) == other)
            #expect(try node.podreap(["inspect", "web-10"]).output == record.output)
            #expect(try node.leftovers(of: "web-1", ["c1"]) == [])
            for command in ["inspect", "plan"] {
                let gone = try node.podreap([command, "web-1"])
                #expect(gone.status == 2 && gone.output == "", "\(gone)")
                #expect(gone.errors.hasSuffix("podreap: no sandbox web-1 is registered\n"))
            }
            #expect(try node.podreap(["explain", "web-1"]).output.contains("web-1 was removed"))
            #expect(try node.podreap(["remove", "web-10"]).status == 0)
            #expect(try node.leftovers(of: "web-10", ["c10"]) == [])
        }
    }

    /// 12 digits of a runtime's id cannot be another's id, until somebody has registered a short one.
    @Test func whatABeginningMeansIsPrinted() throws {
        try withPodNode { node in
            let (first, second) = (try node.pod("first"), try node.pod("second"))
            for pod in [first, second] { #expect(try node.register(pod).status == 0) }
            let short = String(first.id.prefix(12))
            let said = "podreap: \(short) means the sandbox \(first.id)\n"
            for command in ["inspect", "plan", "explain"] {
                let result = try node.podreap([command, short])
                #expect(result.errors == said, "\(command): \(result)")
                #expect(try node.podreap([command, first.id]).errors == "")
            }
            #expect(try node.podreap(["stop", "--grace", "0", short]).errors == said)
            #expect(try node.podreap(["history", short]).errors == said)
            #expect(try node.podreap(["remove", String(short.dropLast())]).errors.contains("ids that begin so: "))
            #expect(first.leftovers() != [])
            #expect(try node.podreap(["remove", short, first.id]).errors == said)
            #expect(first.leftovers() == [])

            try node.sandbox("abc")
            #expect(try node.register("abc", []).status == 0)
            #expect(try node.podreap(["remove", "abc"]).status == 0)
            let before = second.leftovers()
            let ended = try node.podreap(["remove", String(second.id.prefix(13))])
            #expect(ended.status == 0 && ended.errors.contains("ids that begin so: \(second.id). Give the whole one"))
            #expect(second.leftovers() == before)
            #expect(try node.podreap(["inspect", String(second.id.prefix(13))]).status == 2)
            #expect(try node.podreap(["remove", second.id]).status == 0)
            #expect(second.leftovers() == [])
        }
    }

    /// Random histories of registering and removing ids that begin like each other, by the program itself.
    @Test(arguments: [1, 2] as [UInt64]) func noActHitsAnother(_ seed: UInt64) throws {
        try withPodNode { node in
            var random = Seeded(seed)
            var model = IDModel()
            let ids = IDModel.ids(&random)
            for round in 0..<40 {
                let candidates = round < 20 ? ids.filter { !IDModel.isShortHex($0) } : ids
                let id = candidates.randomElement(using: &random) ?? ""
                if model.sandboxes.contains(id) || Int.random(in: 0..<3, using: &random) > 0 {
                    let text = ids.randomElement(using: &random) ?? ""
                    let result = try node.podreap([Bool.random(using: &random) ? "remove" : "stop", text])
                    switch model.sandbox(meantBy: text) {
                    case .id(let meant):
                        #expect(result.status == 0 && !result.output.isEmpty, "\(result)")
                        if result.output.contains("removed") { model.remove(meant) }
                        if text != meant {
                            #expect(result.errors.contains("\(text) means the sandbox \(meant)\n"), "\(result)")
                        }
                    case .nothing: #expect(result.status == 0 && result.output.isEmpty, "\(text): \(result)")
                    case .ambiguous: #expect(result.status == 2, "\(text): \(result)")
                    }
                } else {
                    #expect(try node.register(id, []).status == 0)
                    model.register(id)
                }
                let listed = try node.podreap(["ps", "--json"]).lines().compactMap {
                    ($0["sandbox"] as? [String: Any])?["id"] as? String
                }
                #expect(Set(listed) == model.sandboxes, "seed \(seed), round \(round)")
            }
        }
    }
}
