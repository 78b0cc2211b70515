import Testing

@testable import NodeObservation

/// Processes that mind containers, by their command lines.
struct MinderTests {
    @Test func shimsAndConmons() throws {
        let shim = try #require(
            ContainerMonitor(
                pid: 4,
                arguments: ["/usr/bin/containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "abc", "-address", "/s"])
        )
        #expect(shim.program == "containerd-shim-runc-v2" && shim.containers == ["abc"] && !shim.endsByItself)
        let conmon = try #require(
            ContainerMonitor(
                pid: 4, arguments: ["/usr/libexec/crio/conmon", "-b", "/x", "-c", "abc", "--exit-dir", "/e"]))
        #expect(conmon.containers == ["abc"] && conmon.endsByItself)
    }

    @Test(arguments: [
        [], ["conmon"], ["conmon", "-c"], ["/bin/sleep", "-c", "abc"], ["containerd-shim", "--help"],
        ["sh", "-c", "containerd-shim -id abc"],
    ]) func others(_ arguments: [String]) {
        #expect(ContainerMonitor(pid: 4, arguments: arguments) == nil)
    }

    @Test func leases() throws {
        let node = try FakeNode()
        try node.write("abc\neth0\n", to: "/var/lib/cni/networks/net/192.0.2.7")
        try node.write("abc\r\neth0", to: "/var/lib/cni/networks/net/2001:db8::7")
        try node.write("192.0.2.7", to: "/var/lib/cni/networks/net/last_reserved_ip.0")
        try node.write("", to: "/var/lib/cni/networks/net/lock")
        try node.write("{}", to: "/var/lib/cni/results/my-net-abc-eth0")
        let leases = try CNILeases.all(node.files)
        #expect(leases.map(\.container) == ["abc", "abc", "abc"])
        #expect(leases.map(\.network) == ["net", "net", "my-net"])
    }
}
