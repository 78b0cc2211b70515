import SandboxRegistry
import Testing

@testable import NodeObservation
@testable import SandboxRemoval

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

    @Test func aPodsMindersAreInItsDocument() throws {
        let node = try FakeNode()
        try CRIOPod.place(on: node)
        let pod = try #require(try CRIOLayout(node.files).observe().pods.first)
        let minders = [(7, CRIOPod.workload), (8, CRIOPod.infra), (9, "another")].compactMap { pid, id in
            ContainerMonitor(pid: pid, startTime: 70, arguments: ["conmon", "-c", id])
        }
        let document = try ForeignPod(runtime: .crio, pod: pod).document(node.files, minders)
        #expect(document.sandbox.monitors.map(\.pid) == [7, 8])
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
