import Foundation
import HelperClient
import HelperProtocol
import NodeObservation
import SandboxRegistry
import Testing

@testable import SandboxRemoval

/// Diagnoses as a pure function of an installation: also what a test machine cannot be made to be.
struct DiagnosisTests {
    private static let needed = FileCapabilities(permitted: CapabilityNames.needed)

    private static func text<let capacity: Int>(_ text: String) -> InlineBytes<capacity> {
        var bytes = InlineBytes<capacity>()
        for byte in text.utf8 { _ = bytes.append(byte) }
        return bytes
    }

    private static var good: Installation {
        let roots = [RootKind.sandbox, .networkNamespace].map { kind in
            Welcome.Root(kind: kind, minimumDepth: 1, maximumDepth: 1, path: text("/run/\(kind)"))
        }
        let runtime = Welcome.Runtime(name: text("runc"), stateRoot: text("/run/runc"), hooks: false)
        let welcome = Welcome(version: 1, release: text("1.0"), missing: 0, roots: roots, runtimes: [runtime])
        return Installation(
            helperPath: "/h", helper: InstalledFile(path: "/h", group: 1000, capabilities: needed),
            process: OwnProcess(), kernel: KernelFeatures(release: "6.8"),
            limits: [ResourceLimit(name: "NOFILE", hard: 1024, least: 256)], start: .welcomed(welcome),
            roots: [.there, .there], runtimes: [.answered], registryPath: "/lib/r",
            registryDirectory: InstalledFile(path: "/lib", mode: 0o700, owner: 1000),
            registryFile: InstalledFile(path: "/lib/r", mode: 0o600, owner: 1000), registry: .good(sandboxes: 2))
    }

    private func check(_ name: String, _ change: (inout Installation) -> Void) throws -> Check {
        var installation = Self.good
        change(&installation)
        return try #require(installation.checks.first { $0.name == name }, "\(installation.checks.map(\.name))")
    }

    @Test func aGoodInstallationHasNoRemedies() {
        #expect(Self.good.checks.allSatisfy { $0.status == .good && $0.remedy == nil })
        #expect(Set(Self.good.checks.map(\.name)).count == Self.good.checks.count)
    }

    @Test func aDamagedLogThatWasKept() throws {
        let check = try check("registry-log") { $0.registry = .good(sandboxes: 1, warnings: ["its log was damaged"]) }
        #expect(check.status == .warning)
        #expect(check.text == "its log was damaged")
    }

    @Test func whatIsWrongWithThisProcess() throws {
        #expect(try check("tracer") { $0.process.tracer = 7 }.text.contains("process 7"))
        #expect(try check("proc") { $0.process.seesOthers = false }.remedy?.contains("hidepid=off") == true)
        #expect(try check("proc") { $0.process.seesKernelFiles = false }.text.contains("subset=pid"))
        #expect(try check("user-namespace") { $0.process.userNamespace = .unchanged }.status == .warning)
        #expect(try check("user-namespace") { $0.process.userNamespace = .mapped }.status == .failed)
        #expect(try check("mount-namespace") { $0.process.hasPrivateMounts = true }.status == .failed)
        #expect(try check("mount-namespace") { $0.process.hasPrivateMounts = nil }.status == .warning)
        #expect(try check("pid-namespace") { $0.process.isInHostPIDNamespace = false }.status == .warning)
        #expect(try check("no-new-privileges") { $0.process.noNewPrivileges = true }.status == .failed)
        let bounding = try check("bounding-set") { $0.process.bounding = ~(1 << 21 | 1 << 5) }
        #expect(bounding.text.hasSuffix("lacks cap_kill, cap_sys_admin"))
        let limits = try check("limits") { $0.limits[0].hard = 10 }
        #expect(limits.text == "the hard limit NOFILE is 10; the helper needs 256")
        #expect(limits.remedy?.contains("LimitNOFILE=") == true)
    }

    @Test func whatIsWrongWithTheHelper() throws {
        #expect(try check("helper") { $0.helper = nil }.status == .failed)
        #expect(try check("helper") { $0.helper?.isRegular = false }.status == .failed)
        #expect(try check("helper-owner") { $0.helper?.owner = 5 }.text.contains("user 5"))
        #expect(try check("helper-owner") { $0.helper?.mode = 0o770 }.status == .failed)
        #expect(try check("helper-owner") { $0.helper?.mode = 0o755 }.status == .warning)
        #expect(try check("nosuid") { $0.helper?.isNoSetUserID = true }.status == .failed)
        let member = try check("group") { $0.helper?.refusal = EACCES }
        #expect(member.text == "this user is in the helper's group 1000, but may not start it")
        let stranger = try check("group") {
            $0.helper?.refusal = EACCES
            $0.helper?.group = 5
        }
        #expect(stranger.remedy?.contains("usermod -aG podreap") == true)
    }

    @Test func whatIsWrongWithItsCapabilities() throws {
        func check(_ capabilities: FileCapabilities?) throws -> Check {
            try self.check("capabilities") { $0.helper?.capabilities = capabilities }
        }
        #expect(try check(nil).status == .failed)
        #expect(
            try check(FileCapabilities(permitted: CapabilityNames.needed & ~(1 << 1))).text.hasSuffix(
                "cap_dac_override"))
        #expect(try check(FileCapabilities(permitted: CapabilityNames.needed, effective: true)).status == .warning)
        #expect(try check(FileCapabilities(permitted: CapabilityNames.needed | 1 << 12)).text.contains("capability 12"))
        #expect(try check(nil).remedy == "setcap \(CapabilityNames.helper)=p /h")
    }

    @Test func whatIsWrongWithThePolicy() throws {
        func start(_ rule: Rule, _ detail: String) throws -> Check {
            try check("start") { $0.start = .failed(.startRefused(rule, detail: detail)) }
        }
        #expect(try start(.policyUnreadable, "/x").remedy?.contains("write /etc/podreap/helper.conf") == true)
        #expect(try start(.rootReplaceable, "/run/x").remedy == "chown root:root /run/x; chmod go-w /run/x")
        #expect(try start(.peerNotCaller, "").remedy?.contains("caller = USER") == true)
        let skipped = try check("roots") { $0.start = .failed(.tooManyAbandoned(4)) }
        #expect(skipped.status == .skipped)
        #expect(try check("root /run/sandbox") { $0.roots[0] = .missing }.status == .failed)
        #expect(try check("root /run/networkNamespace") { $0.roots[1] = .missing }.status == .warning)
        #expect(try check("root /run/sandbox") { $0.roots[0] = .silent }.status == .failed)
        #expect(
            try check("root /run/sandbox") { $0.roots[0] = .notADirectory }.remedy?.contains("sandbox-root") == true)
        #expect(try check("root /run/sandbox") { $0.roots[0] = .hidden }.status == .good)
        #expect(
            try check("runtime runc") { $0.runtimes[0] = .failed("it hangs") }.text == "runc does not work: it hangs")
        #expect(try check("runtime runc") { $0.runtimes[0] = .notCalled }.status == .skipped)
        let killed = try check("runtime runc") { $0.runtimes[0] = .killedByFilter }
        #expect(killed.status == .failed && killed.remedy?.contains("ausearch -m SECCOMP") == true)
    }

    @Test func whatIsWrongWithTheRegistry() throws {
        #expect(try check("registry-directory") { $0.registryDirectory = nil }.remedy?.contains("install -d") == true)
        #expect(try check("registry-directory") { $0.registryDirectory?.mode = 0o777 }.status == .failed)
        #expect(try check("registry-directory") { $0.registryDirectory?.owner = 5 }.status == .warning)
        #expect(try check("registry-mode") { $0.registryFile?.mode = 0o644 }.status == .warning)
        #expect(try check("registry") { $0.registry = .bad(.corrupt(path: "/lib/r", detail: "x")) }.status == .failed)
        #expect(try check("registry") { $0.registry = .notThereYet }.status == .good)
    }

    @Test func whatIsWrongWithTheKernel() throws {
        let old = try check("kernel") { $0.kernel = KernelFeatures(release: "5.4", openat2: false, mountRoots: false) }
        #expect(old.text == "Linux 5.4 lacks openat2(2), mount roots in statx(2)")
        #expect(try check("kernel") { $0.kernel.mountAttributes = false }.remedy == "Linux 5.12 or later")
        #expect(try check("kernel") { $0.kernel.uniqueMountIDs = false }.status == .warning)
        #expect(try check("cgroups") { $0.kernel.cgroupVersions = [] }.status == .failed)
        #expect(try check("cgroups") { $0.kernel.cgroupVersions = [1, 2] }.text.contains("1 and 2"))
        #expect(try check("system-log") { $0.kernel.systemLogRefusal = ENOENT }.status == .warning)
    }
}
