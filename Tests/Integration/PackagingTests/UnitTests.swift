import Foundation
import TestNode
import Testing

/// The units as systemd's own tools see them.
@Suite(.serialized) struct UnitTests {
    private static let units = "\(Tree.path)/packaging/systemd"

    /// A root directory with the units, with the drop-in if asked for, and with what they execute.
    private func withUnits<Result>(hardened: Bool, _ body: (String) throws -> Result) throws -> Result {
        let root = "/tmp/podreap-units-\(UUID().uuidString)"
        try shell(
            """
            mkdir -p \(root)/etc/systemd/system/podreapd.service.d \(root)/usr/sbin \(root)/usr/libexec/podreap
            cp \(Self.units)/*.service \(Self.units)/*.socket \(root)/etc/systemd/system
            install -m 0755 /bin/true \(root)/usr/sbin/podreapd
            install -m 0755 /bin/true \(root)/usr/libexec/podreap/podreap-helper
            cp -r /usr/lib/systemd \(root)/usr/lib-systemd && mkdir -p \(root)/usr/lib && mv \(root)/usr/lib-systemd \(root)/usr/lib/systemd
            """)
        defer { _ = try? shell("rm -rf \(root)") }
        if hardened {
            try shell("cp \(Self.units)/helper-socket.conf \(root)/etc/systemd/system/podreapd.service.d/")
        }
        return try body(root)
    }

    @Test(arguments: [false, true]) func systemdFindsNothingWrong(hardened: Bool) throws {
        try withUnits(hardened: hardened) { root in
            let said = try shell(
                """
                systemd-analyze verify --man=no --root=\(root) podreapd.service podreapd.socket podreap-helper.socket \
                podreap-helper@1.service 2>&1
                """)
            #expect(said == "")
        }
    }

    /// Tenths of systemd's exposure level, 0 to 100: what they may be at most.
    @Test(arguments: [
        ("podreapd.service", false, 72), ("podreapd.service", true, 16), ("podreap-helper@1.service", false, 73),
    ])
    func exposure(_ unit: String, hardened: Bool, most: Int) throws {
        try withUnits(hardened: hardened) { root in
            let said = try shell(
                "systemd-analyze security --offline=true --root=\(root) --threshold=\(most) \(unit) 2>&1 | tail -n 1")
            print(unit, hardened ? "with helper-socket.conf:" : "as it is:", said)
            #expect(said.contains("Overall exposure level"))
            _ = try shell("systemd-analyze security --offline=true --root=\(root) --threshold=\(most) \(unit)")
        }
    }

    /// What its comment says must not be there is not there.
    @Test func theUnitKeepsItsPromise() throws {
        let lines = try String(contentsOfFile: "\(Self.units)/podreapd.service", encoding: .utf8).split(separator: "\n")
        let comment = lines.prefix { $0.hasPrefix("#") }.joined(separator: " ")
        let forbidden = Set(
            comment.matches(of: /([A-Z][A-Za-z]+)=/).map { String($0.1) }
        ).subtracting(["User", "NoNewPrivileges"])
        #expect(forbidden.count > 25)
        for line in lines where !line.hasPrefix("#") {
            #expect(!forbidden.contains(String(line.prefix { $0 != "=" })), "\(line)")
        }
        #expect(lines.contains("NoNewPrivileges=no"))
    }
}
