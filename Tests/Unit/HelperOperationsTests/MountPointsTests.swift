import Testing

@testable import HelperOperations

@Suite struct MountPointsTests {
    private func points(_ lines: String..., beneath directory: String = "/run/pods/a") -> [String] {
        mountPoints(in: Array(lines.joined(separator: "\n").utf8), beneath: Array(directory.utf8))
            .map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func beneathAndNothingElse() {
        #expect(
            points(
                "22 1 0:20 / / rw - ext4 /dev/sda rw", "30 22 0:30 / /run/pods/a rw shared:1 - tmpfs t rw",
                "31 30 0:31 / /run/pods/a/m rw - tmpfs t rw", "32 30 0:31 / /run/pods/ab/m rw - tmpfs t rw",
                "33 30 0:31 / /run/pods/a/m/n rw - tmpfs t rw", "34 31 0:31 / /run/pods rw - tmpfs t rw",
                "35 31 0:31 / /other/run/pods/a/m rw - tmpfs t rw") == ["m", "m/n"])
    }

    @Test func stackedOnesOnce() {
        let line = "31 30 0:31 / /run/pods/a/m rw - tmpfs t rw"
        #expect(points(line, line, "32 30 0:31 / /run/pods/a/n rw - tmpfs t rw", line) == ["m", "n", "m"])
    }

    @Test func escapes() {
        #expect(points(#"31 30 0:31 / /run/pods/a/x\040y\134\012z\011 rw - tmpfs t rw"#) == ["x y\\\nz\t"])
        #expect(points(#"31 30 0:31 / /run/pods/a/x\09\04 rw - tmpfs t rw"#) == [#"x\09\04"#])
        #expect(points(#"31 30 0:31 / /run/p\040/a/m rw - tmpfs t rw"#, beneath: "/run/p /a") == ["m"])
    }

    @Test func damage() {
        #expect(points("", " ", "31 30 0:31 / /run/pods/a/m", "31 30 0:31 /", "/run/pods/a/m") == [])
    }
}
