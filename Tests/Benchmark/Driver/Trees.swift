import FoundationEssentials
import Glibc
import SamplePod

/// Removals of sandboxes whose directories hold large trees, against rm -rf on the same trees.
struct Trees {
    private let measure: Measure
    private let installation: SampleInstallation
    private let workers: [(who: String, agent: Agent)]
    private static let rounds = 3

    init(_ measure: Measure, _ installation: SampleInstallation) throws {
        self.measure = measure
        self.installation = installation
        workers = [
            ("podreap, one helper", try measure.worker("trees-1", installation, helpers: 1)),
            ("podreap, two helpers", try measure.worker("trees-2", installation, helpers: 2)),
        ]
    }

    /// Directories are made by xargs and files by a shell's redirection, both from seq.
    private enum Tree: String, CaseIterable {
        case flat = "one directory"
        case deep = "a tree 100 levels deep"
        case small = "many small directories"

        func script(_ files: Int) -> String {
            switch self {
            case .flat: "os.mkdir('t'); make('t', \(files))"
            case .deep:
                "p = 't'\nos.mkdir(p)\nfor n in range(100):\n  make(p, \(files / 100)); p += f'/d'; os.mkdir(p)"
            case .small:
                "os.mkdir('t')\nfor n in range(\(files / 10)): os.mkdir(f't/{n}'); make(f't/{n}', 10)"
            }
        }
    }

    func measure(_ results: inout Results) throws {
        for (name, path) in try disks() {
            for tree in Tree.allCases {
                for round in 0..<Self.rounds {
                    let row = "\(name), \(measure.files) files in \(tree.rawValue)"
                    for turn in 0...workers.count {
                        let index = (turn + round) % (workers.count + 1)
                        try make(tree, in: path)
                        if index == workers.count {
                            results.add("trees", row, "rm -rf", "ms", try time(["rm", "-rf", "\(path)/t"]))
                        } else {
                            let (who, agent) = workers[index]
                            results.add("trees", row, who, "ms", try remove("\(path)/t", agent, path))
                        }
                        guard !FileManager.default.fileExists(atPath: "\(path)/t") else {
                            throw Incomplete("\(path)/t is still there")
                        }
                    }
                }
            }
        }
        workers.forEach { $0.agent.end() }
    }

    /// A tmpfs, and an ext4 in a file on the disk; both get roots in the policy.
    private func disks() throws -> [(String, String)] {
        let base = installation.node.base
        try run("mkdir \(base)/tmpfs \(base)/ext4; mount -t tmpfs -o mode=755,size=2g trees \(base)/tmpfs")
        var disks = [("tmpfs", "\(base)/tmpfs")]
        let image = "\(measure.directory)/ext4"
        try run("truncate -s 2G \(image); mkfs.ext4 -q -N 300000 \(image)")
        do {
            try run("mount -o loop \(image) \(base)/ext4")
            disks.append(("ext4", "\(base)/ext4"))
        } catch {
            print("no loop device, so no ext4: \(error)")
        }
        for (_, path) in disks { try run("echo 'sandbox-root = \(path)' >>/etc/podreap/helper.conf") }
        return disks
    }

    private func make(_ tree: Tree, in path: String) throws {
        let program = """
            import os
            def make(p, n):
              d = os.open(p, os.O_RDONLY)
              for i in range(n): os.close(os.open(f'file-{i}', os.O_CREAT | os.O_WRONLY, dir_fd=d))
              os.close(d)
            \(tree.script(measure.files))
            """
        _ = try installation.place(program, as: "tree.py")
        try run("cd \(path); python3 \(installation.library)/tree.py; sync -f .")
    }

    /// What the step took, as the report has it.
    private func remove(_ directory: String, _ agent: Agent, _ path: String) throws -> Double {
        let id = "tree-\(UInt32.random(in: 0...UInt32.max))"
        let document = """
            {"version": 1, "sandbox": {"id": "\(id)", "runtime": "runc", "directory": "\(directory)",
            "metadata": {"name": "\(id)", "namespace": "trees", "uid": "\(id)", "attempt": 0}}, "containers": []}
            """
        _ = try agent.ask("register \(try installation.place(document, as: "tree.json"))")
        return try agent.microseconds("remove \(id)") / 1000
    }

    private func run(_ script: String) throws { _ = try time(["bash", "-euc", script]) }
}

/// Runs a command to its end: milliseconds.
func time(_ command: [String]) throws -> Double {
    let start = ContinuousClock.now
    let process = try Child(command)
    process.closeInput()
    let text = process.readAll()
    guard process.wait() == 0 else { throw Incomplete("\(command.joined(separator: " ").prefix(200)): \(text)") }
    return (ContinuousClock.now - start) / .milliseconds(1)
}
