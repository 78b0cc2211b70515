import Foundation
import TestNode
import TestPods
import Testing

/// `make install`, of what was built with these tests.
@Suite(.serialized) struct InstallTests {
    private func make(_ target: String, _ variables: String = "", as user: String = "") throws -> String {
        let helper =
            ProcessInfo.processInfo.environment["PODREAP_HELPER"] ?? "\(Tree.path)/.build-helper/podreap-helper"
        return try shell(
            """
            cd '\(Tree.path)' && umask 077 && \(user) make --no-print-directory \(target) HELPER='\(helper)' \
            STATIC='\(try Tree.release.get())' \(variables) 2>&1
            """)
    }

    private func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = "/tmp/podreap-install-\(UUID().uuidString)"
        defer { _ = try? shell("rm -rf \(directory)") }
        try body(directory)
    }

    /// Modes and places of files, as a package takes them.
    private func files(beneath directory: String) throws -> [String] {
        try shell("cd \(directory) && find . ! -type d -printf '%m %P\\n' | LC_ALL=C sort -k 2").split(separator: "\n")
            .map(String.init)
    }

    private static let others = [
        "640 etc/podreap/helper.conf", "644 etc/podreap/podreap.toml", "755 usr/bin/podreap",
        "644 usr/lib/systemd/system/podreap-helper.socket", "644 usr/lib/systemd/system/podreap-helper@.service",
        "644 usr/lib/systemd/system/podreapd.service", "644 usr/lib/systemd/system/podreapd.socket",
        "644 usr/lib/sysusers.d/podreap.conf", "644 usr/lib/tmpfiles.d/podreap.conf",
        "750 usr/libexec/podreap/podreap-helper", "755 usr/libexec/podreap/podreap-rescue", "755 usr/sbin/podreapd",
        "644 usr/share/bash-completion/completions/podreap", "644 usr/share/bash-completion/completions/podreapd",
        "644 usr/share/fish/vendor_completions.d/podreap.fish", "644 usr/share/fish/vendor_completions.d/podreapd.fish",
        "644 usr/share/podreap/systemd/helper-socket.conf", "644 usr/share/zsh/site-functions/_podreap",
        "644 usr/share/zsh/site-functions/_podreapd",
    ]

    @Test func installsForAPackage() throws {
        try withDirectory { directory in
            _ = try make("install", "DESTDIR=\(directory)")
            let installed = try files(beneath: directory)
            let pages = installed.filter { $0.contains("/share/man/") }
            let documents = installed.filter { $0.contains("/share/doc/podreap/") }
            #expect(installed.filter { !pages.contains($0) && !documents.contains($0) } == Self.others)
            #expect(pages.contains("644 usr/share/man/man8/podreap-helper.8"))
            #expect(pages.allSatisfy { $0.hasPrefix("644 ") } && documents.allSatisfy { $0.hasPrefix("644 ") })
            for name in [
                "LICENSE", "README.md", "SECURITY.md", "PROTOCOL.md", "proto/runtime.proto", "seccomp/runc.list",
            ] {
                #expect(documents.contains("644 usr/share/doc/podreap/\(name)"))
            }
            #expect(try shell("find \(directory) -mindepth 1 -type d ! -perm 755") == "")
            #expect(try shell("getcap \(directory)/usr/libexec/podreap/podreap-helper") == "")
        }
    }

    @Test func keepsSettings() throws {
        try withDirectory { directory in
            _ = try make("install", "DESTDIR=\(directory)")
            try shell("echo 'caller = 5' >\(directory)/etc/podreap/helper.conf")
            #expect(try make("install", "DESTDIR=\(directory)").contains("helper.conf is kept as it is"))
            #expect(try make("uninstall", "DESTDIR=\(directory)").contains("helper.conf is kept as it is"))
            #expect(try shell("cat \(directory)/etc/podreap/helper.conf") == "caller = 5\n")
            #expect(try files(beneath: directory) == ["640 etc/podreap/helper.conf", "644 etc/podreap/podreap.toml"])
            #expect(try shell("cd \(directory) && find . -name '*podreap*' ! -path './etc/*'") == "")
        }
    }

    /// Everything that names a program names it where it is.
    @Test func takesOtherPlaces() throws {
        try withDirectory { directory in
            _ = try make("install", "DESTDIR=\(directory) PREFIX=/opt/podreap UNITDIR=/etc/systemd/system")
            let old = try shell("grep -rlE '/usr/(s?bin|libexec)/podreap' \(directory) --include='*.[158]' || true")
            #expect(old == "")
            let text = try shell(
                """
                cd \(directory) && grep -h -e ^ExecStart= etc/systemd/system/podreapd.service \
                'etc/systemd/system/podreap-helper@.service' && grep -h '^helper =' etc/podreap/podreap.toml
                """)
            #expect(
                text == """
                    ExecStart=/opt/podreap/sbin/podreapd
                    ExecStart=/opt/podreap/libexec/podreap/podreap-helper
                    helper = "/opt/podreap/libexec/podreap/podreap-helper"

                    """)
        }
    }

    @Test func saysWhatIsMissing() throws {
        let unbuilt = try make("install", "STATIC=/nowhere DESTDIR=/tmp/never || [ $? = 2 ]")
        #expect(unbuilt.contains("run make helper release before"), "\(unbuilt)")
        let user = try make("install", "|| [ $? = 2 ]", as: "setpriv --reuid 61234 --regid 61234 --clear-groups")
        #expect(user.contains("only root can install"), "\(user)")
    }

    /// Without DESTDIR, on a machine whose /usr, /etc and /var are overlays here: all that doctor asks for is there.
    @Test func installsOnThisMachine() throws {
        let upper = "/tmp/podreap-machine-\(UUID().uuidString)"
        try shell("mkdir \(upper)")
        defer { _ = try? shell("rm -rf \(upper)") }
        let helper =
            ProcessInfo.processInfo.environment["PODREAP_HELPER"] ?? "\(Tree.path)/.build-helper/podreap-helper"
        let said = try shell(
            """
            export UPPER=\(upper) HELPER='\(helper)' STATIC='\(try Tree.release.get())' TREE='\(Tree.path)'
            unshare --mount --propagation private -- bash -euo pipefail -c '
            mount -t tmpfs -o mode=755 machine $UPPER
            for part in usr etc var run; do
                mkdir $UPPER/$part $UPPER/$part/upper $UPPER/$part/work
                mount -t overlay -o lowerdir=/$part,upperdir=$UPPER/$part/upper,workdir=$UPPER/$part/work machine /$part
            done
            rm -rf /etc/podreap
            cd "$TREE" && make --no-print-directory install HELPER="$HELPER" STATIC="$STATIC"
            mkdir -p /run/pods/sandboxes /run/pods/containers /var/lib/pods/containers
            getcap /usr/libexec/podreap/podreap-helper
            stat -c "%a %U:%G %n" /usr/libexec/podreap/podreap-helper /etc/podreap/helper.conf /var/lib/podreap /run/podreap
            getent passwd podreap | cut -d : -f 1,6,7
            setpriv --reuid podreap --regid podreap --clear-groups env -i PATH=/usr/bin:/bin podreap doctor --json || true
            setpriv --reuid podreap --regid podreap --clear-groups env -i PATH=/usr/sbin:/usr/bin:/bin podreapd --check
            ' 2>&1
            """)
        #expect(
            said.contains("cap_dac_override,cap_fowner,cap_kill,cap_setgid,cap_setuid,cap_setpcap,cap_sys_admin=p"),
            "\(said)")
        for line in [
            "750 root:podreap /usr/libexec/podreap/podreap-helper", "640 root:podreap /etc/podreap/helper.conf",
            "700 podreap:podreap /var/lib/podreap", "755 root:root /run/podreap",
            "podreap:/var/lib/podreap:/usr/sbin/nologin",
        ] {
            #expect(said.contains(line), "\(said)")
        }
        let failed = said.split(separator: "\n").filter { $0.contains(#""status":"failed""#) }
        // Here it is in the tests' mount namespace; crun refuses this machine's cgroups, or is not there.
        #expect(failed.allSatisfy { $0.contains("mount-namespace") }, "\(said)")
    }
}
