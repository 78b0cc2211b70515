import Foundation
import Testing

@testable import SandboxRegistry

@Suite("Registration document")
struct DocumentTests {
    static let full = #"""
        {
          "version": 1,
          "sandbox": {
            "id": "3f1c",
            "metadata": {"name": "web", "namespace": "default", "uid": "9a", "attempt": 2},
            "createdAt": "2026-01-02T03:04:05.25+02:00",
            "runtime": "runc",
            "directory": "/run/pods/3f1c",
            "shm": "/run/pods/3f1c/shm",
            "namespaces": {"network": "/run/netns/3f1c", "ipc": "/run/ipcns/3f1c", "uts": "/run/utsns/3f1c"},
            "processLabel": "system_u:system_r:container_t:s0:c1,c2",
            "mountLabel": "system_u:object_r:container_file_t:s0:c1,c2",
            "labels": {"app": "web"},
            "annotations": {"note": "tab\tand \u00e9 \ud83d\ude00"}
          },
          "infra": {"id": "3f1c", "directories": ["/run/containers/3f1c"]},
          "containers": [
            {"id": "77ab", "metadata": {"name": "app", "attempt": 0}, "createdAt": "2026-01-02T03:04:06Z",
             "runtime": "crun", "image": "web:1", "directories": ["/run/containers/77ab", "/var/c/77ab"],
             "stopSignal": "SIGRTMIN+3", "cgroups": ["/sys/fs/cgroup/77ab"], "pid": 4711,
             "labels": {"tier": "front"}, "annotations": {}},
            {"id": "88cd", "metadata": {"name": "side", "attempt": 4}, "stopSignal": 2}
          ]
        }
        """#

    static let least = #"""
        {"version": 1, "sandbox": {"id": "a", "metadata": {"name": "n", "namespace": "s", "uid": "u", "attempt": 0},
         "runtime": "runc", "directory": "/run/a"}}
        """#

    @Test func everyFieldIsRead() throws {
        let document = try RegistrationDocument(json: Data(Self.full.utf8))
        let sandbox = document.sandbox
        #expect(sandbox.id == "3f1c")
        #expect(sandbox.metadata == PodMetadata(name: "web", namespace: "default", uid: "9a", attempt: 2))
        #expect(sandbox.createdAt == Date(timeIntervalSince1970: 1_767_315_845.25))
        #expect(sandbox.state == .ready)
        #expect(sandbox.shm == "/run/pods/3f1c/shm")
        #expect(sandbox.namespaces.map(\.kind) == [.network, .ipc, .uts])
        #expect(sandbox.namespaces.map(\.path) == ["/run/netns/3f1c", "/run/ipcns/3f1c", "/run/utsns/3f1c"])
        #expect(sandbox.levels == ["s0:c1,c2"])
        #expect(sandbox.annotations == ["note": "tab\tand é 😀"])

        try #require(document.containers.count == 3)
        let infra = document.containers[0]
        #expect(infra.isInfra && infra.name == "POD" && infra.attempt == 2)
        #expect(infra.runtime == "runc" && infra.createdAt == sandbox.createdAt && infra.stopSignal == 15)
        #expect(infra.reservedName(in: sandbox.metadata) == "POD_web_default_9a_2")
        let app = document.containers[1]
        #expect(app.sandboxID == "3f1c" && !app.isInfra && app.runtime == "crun" && app.image == "web:1")
        #expect(app.directories.map(\.path) == ["/run/containers/77ab", "/var/c/77ab"])
        #expect(app.stopSignal == 37 && app.cgroups == ["/sys/fs/cgroup/77ab"] && app.labels == ["tier": "front"])
        #expect(app.process == ProcessReference(pid: 4711, startTime: 0))
        #expect(app.createdAt == Date(timeIntervalSince1970: 1_767_323_046))
        #expect(app.reservedName(in: sandbox.metadata) == "app_web_default_9a_0")
        #expect(document.containers[2].stopSignal == 2)
        #expect(document.containers[2].process == nil)
    }

    @Test func theLeastDocumentHasDefaults() throws {
        let now = Date(timeIntervalSince1970: 1_700_000_000.0000002)
        let document = try RegistrationDocument(json: Data(Self.least.utf8), now: now)
        #expect(document.containers.isEmpty)
        #expect(document.sandbox.createdAt == Date(timeIntervalSince1970: 1_700_000_000))
        #expect(document.sandbox.namespaces.isEmpty && document.sandbox.shm == nil)
        #expect(document.sandbox.processLabel.isEmpty && document.sandbox.labels.isEmpty)
    }

    private static let podsOwn = least.replacingOccurrences(
        of: #""directory": "/run/a""#,
        with: #""directory": "/run/a", "cgroups": ["/cg/cpu/crio-a", "/cg/pids/crio-a"], "monitors": [7, 8]"#)

    @Test func whatIsThePodsOwnIsReadAndWritten() throws {
        let document = try RegistrationDocument(json: Data(Self.podsOwn.utf8))
        #expect(document.sandbox.cgroups == ["/cg/cpu/crio-a", "/cg/pids/crio-a"].map { PodCgroup(path: $0) })
        #expect(document.sandbox.monitors == [7, 8].map { ProcessReference(pid: $0, startTime: 0) })
        #expect(try RegistrationDocument(json: document.json()) == document)
    }

    @Test(arguments: [
        (#"["/cg/cpu/crio-a", "/cg/pids/crio-a"]"#, #"["/cg/a", "/cg/a"]"#, "sandbox.cgroups[1]: is given twice"),
        (#"["/cg/cpu/crio-a", "/cg/pids/crio-a"]"#, #"["cg/a"]"#, "sandbox.cgroups[0]: \"cg/a\" is not absolute"),
        (#"["/cg/cpu/crio-a", "/cg/pids/crio-a"]"#, #""/cg/a""#, "sandbox.cgroups: is a string; expected an array"),
        ("[7, 8]", "[7, 0]", "sandbox.monitors[1]: is 0; expected an integer from 1"),
        ("[7, 8]", #"["7"]"#, "sandbox.monitors[0]: is a string; expected an integer"),
    ]) func whatCannotBeThePodsOwnIsNamed(_ part: String, _ by: String, _ expected: String) throws {
        let text = Self.podsOwn.replacingOccurrences(of: part, with: by)
        let error = #expect(throws: DocumentError.self) { try RegistrationDocument(json: Data(text.utf8)) }
        #expect(error?.description.hasPrefix(expected) == true, "\(String(describing: error))")
    }

    @Test func whatIsWrittenReadsBackEqual() throws {
        for text in [Self.full, Self.least] {
            let document = try RegistrationDocument(json: Data(text.utf8))
            let written = document.json()
            #expect(try RegistrationDocument(json: written) == document)
            #expect(try RegistrationDocument(json: written).json() == written)
        }
    }

    @Test func writtenTextIsStableAndReadable() throws {
        let written = try RegistrationDocument(json: Data(Self.least.utf8), now: Date(timeIntervalSince1970: 0)).json()
        #expect(
            String(decoding: written, as: UTF8.self) == """
                {
                  "version": 1,
                  "sandbox": {
                    "id": "a",
                    "metadata": {
                      "name": "n",
                      "namespace": "s",
                      "uid": "u",
                      "attempt": 0
                    },
                    "createdAt": "1970-01-01T00:00:00Z",
                    "runtime": "runc",
                    "directory": "/run/a"
                  },
                  "containers": []
                }

                """)
    }

    @Test func closedNamespacesAreNotWritten() {
        var sandbox = Sandbox.sample("a")
        sandbox.namespaces[0].closed = true
        let text = String(decoding: RegistrationDocument(sandbox: sandbox, containers: []).json(), as: UTF8.self)
        #expect(!text.contains("/run/netns/a"))
        #expect(text.contains("/run/utsns/a"))
    }

    /// Each bad form: what of the full document is replaced by what, and the error that names the field.
    static let bad: [(String, String, String)] = [
        // Missing.
        (#""version": 1,"#, "", "version: missing; expected an integer"),
        (#""id": "3f1c","# + "\n", "", "sandbox.id: missing; expected a string"),
        (#", "uid": "9a""#, "", "sandbox.metadata.uid: missing; expected a string"),
        (#", "attempt": 2}"#, "}", "sandbox.metadata.attempt: missing; expected an integer"),
        (#""runtime": "runc","#, "", "sandbox.runtime: missing; expected a string"),
        (#""directory": "/run/pods/3f1c","#, "", "sandbox.directory: missing; expected a string"),
        (#"{"name": "side", "#, "{", "containers[1].metadata.name: missing; expected a string"),
        (#""metadata": {"name": "side", "attempt": 4}, "#, "", "containers[1].metadata: missing; expected an object"),
        // Duplicate.
        (#""id": "3f1c","# + "\n", #""id": "b", "id": "3f1c","#, "sandbox.id: duplicate; expected once"),
        (#"{"app": "web"}"#, #"{"app": "1", "\u0061pp": "2"}"#, "sandbox.labels.app: duplicate; expected once"),
        (#""pid": 4711"#, #""pid": 1, "pid": 4711"#, "containers[0].pid: duplicate; expected once"),
        (#""version": 1,"#, #""version": 1, "version": 1,"#, "version: duplicate; expected once"),
        (#""88cd""#, #""77ab""#, "containers[1].id: is the same as containers[0].id"),
        (#""88cd""#, #""3f1c""#, "containers[1].id: is the same as infra.id"),
        (
            #"{"name": "side", "attempt": 4}"#, #"{"name": "app", "attempt": 0}"#,
            "containers[1].metadata: is the same as containers[0].metadata"
        ),
        ("/run/ipcns/3f1c", "/run/netns/3f1c", "sandbox.namespaces.ipc: is another namespace's path too"),
        // Ill-typed.
        (#""id": "3f1c","# + "\n", #""id": 3,"#, "sandbox.id: is a number; expected a string"),
        (
            #""pid": 4711"#, #""pid": "4711""#,
            "containers[0].pid: is a string; expected an integer from 1 to 2147483647"
        ),
        (#"{"app": "web"}"#, #"["app"]"#, "sandbox.labels: is an array; expected an object"),
        (#"{"app": "web"}"#, #"{"app": null}"#, "sandbox.labels.app: is null; expected a string"),
        (#"{"app": "web"}"#, #"{"a.b/c": true}"#, #"sandbox.labels["a.b/c"]: is a boolean; expected a string"#),
        (#"["/sys/fs/cgroup/77ab"]"#, #""/x""#, "containers[0].cgroups: is a string; expected an array"),
        (#""/var/c/77ab"]"#, "7]", "containers[0].directories[1]: is a number; expected a string"),
        (#"{"id": "3f1c", "directories": ["/run/containers/3f1c"]}"#, "null", "infra: is null; expected an object"),
        // Unknown.
        (#""shm":"#, #""shmm":"#, "sandbox.shmm: unknown field; expected one of id, metadata,"),
        (#""attempt": 4"#, #""attempt": 4, "namespace": "x""#, "containers[1].metadata.namespace: unknown field"),
        (#""version": 1,"#, #""version": 1, "\u001b[2J": 0,"#, #"["\u{1B}[2J"]: unknown field; expected one of"#),
        (#""ipc":"#, #""pid":"#, "sandbox.namespaces.pid: unknown field; expected one of network, ipc, uts, user"),
        // Out of range.
        (#""version": 1,"#, #""version": 2, "new": 0,"#, "version: is 2; expected 1, the one known to this podreap"),
        (#""version": 1,"#, #""version": 1.0,"#, "version: is 1.0; expected an integer"),
        (#""attempt": 2"#, #""attempt": 4294967296"#, "sandbox.metadata.attempt: is 4294967296; expected an integer"),
        (#""attempt": 2"#, #""attempt": -1"#, "sandbox.metadata.attempt: is -1; expected an integer from 0"),
        (#""pid": 4711"#, #""pid": 0"#, "containers[0].pid: is 0; expected an integer from 1 to"),
        (
            #""stopSignal": 2"#, #""stopSignal": 65"#,
            "containers[1].stopSignal: is 65; expected an integer from 1 to 64"
        ),
        ("SIGRTMIN+3", "SIGNAL", #"containers[0].stopSignal: is "SIGNAL"; expected a signal such as SIGTERM"#),
        ("03:04:06Z", "25:04:06Z", "containers[0].createdAt: is"),
        // Ids, names, paths, labels.
        (#""88cd""#, #""""#, "containers[1].id: is empty; expected 1 to 128 of"),
        (#""88cd""#, #""../x""#, #"containers[1].id: "../x" begins with .; expected"#),
        (#""88cd""#, #""-rf""#, #"containers[1].id: "-rf" begins with -; expected"#),
        (#""88cd""#, #""a/b""#, #"containers[1].id: "a/b" has a character that is not allowed"#),
        (#""88cd""#, #""a\u0000""#, "containers[1].id: "),
        (#""88cd""#, #""é""#, "containers[1].id: "),
        (#""88cd""#, "\"\(String(repeating: "a", count: 4096))\"", "containers[1].id: is longer than 128 bytes"),
        (#""runtime": "runc""#, #""runtime": "/bin/sh""#, "sandbox.runtime: "),
        (#""name": "web""#, #""name": """#, "sandbox.metadata.name: is empty"),
        (#""name": "web""#, #""name": "a\u001bb""#, "sandbox.metadata.name: has a control character"),
        (#""/run/pods/3f1c","# + "\n", #""run/pods","#, #"sandbox.directory: "run/pods" is not absolute"#),
        (#""/run/pods/3f1c","# + "\n", #""/","#, "sandbox.directory: is the root directory"),
        (#""/run/pods/3f1c/shm""#, #""/run/../etc""#, #"sandbox.shm: "/run/../etc" has a component . or .."#),
        (#""/run/pods/3f1c/shm""#, #""/run/pods/""#, "sandbox.shm: "),
        (#""/run/netns/3f1c""#, #""/run//x""#, "sandbox.namespaces.network: "),
        (#""/var/c/77ab""#, #""/var/c/\n""#, "containers[0].directories[1]: has a control character"),
        ("system_u:system_r:container_t:s0:c1,c2", "system_u:container_t", "sandbox.processLabel: "),
        ("system_u:object_r:container_file_t:s0:c1,c2", "s0:c1", "sandbox.mountLabel: "),
        // No JSON.
        (#""pid": 4711,"#, #""pid": 4711,,"#, "the document is not JSON (line "),
        (#""web:1""#, "\"web\u{1}\"", "control character in a string"),
        ("3f1c/shm\",", "3f1c/shm\"", "expected , or } after a field"),
    ]

    @Test(arguments: bad) func aBadDocumentNamesItsField(replaced: String, by: String, expected: String) throws {
        let range = try #require(Self.full.range(of: replaced))
        let text = Self.full.replacingCharacters(in: range, with: by)
        let error = #expect(throws: DocumentError.self) { try RegistrationDocument(json: Data(text.utf8)) }
        let description = try #require(error?.description)
        if expected.contains(": ") && !expected.hasPrefix("the document") {
            #expect(description.hasPrefix(expected), "\(description)")
        } else {
            #expect(description.contains(expected), "\(description)")
        }
        #expect(description.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
    }

    @Test func aDocumentThatIsNoObjectOrTooLongIsRefused() {
        #expect(throws: DocumentError("document", "is an array; expected an object")) {
            try RegistrationDocument(json: Data("[]".utf8))
        }
        #expect(throws: DocumentError.self) { try RegistrationDocument(json: Data()) }
        let long = Data(repeating: 0x20, count: RegistrationDocument.maximumBytes + 1)
        let error = #expect(throws: DocumentError.self) { try RegistrationDocument(json: long) }
        #expect(error?.description.hasSuffix("expected at most 1048576") == true)
        let fits = Self.least + String(repeating: " ", count: RegistrationDocument.maximumBytes - Self.least.utf8.count)
        #expect(throws: Never.self) { try RegistrationDocument(json: Data(fits.utf8)) }
    }

    /// Whatever is cut off or changed, there is an answer and no trap.
    @Test func everyPrefixAndEveryChangedByteIsAnswered() {
        let bytes = Array(Self.full.utf8)
        for length in 0..<bytes.count {
            #expect(throws: DocumentError.self) { try RegistrationDocument(json: Data(bytes[..<length])) }
        }
        var generator = SystemRandomNumberGenerator()
        for index in bytes.indices {
            var changed = bytes
            changed[index] = UInt8.random(in: 0...255, using: &generator)
            do {
                _ = try RegistrationDocument(json: Data(changed))
            } catch {
                #expect(!error.problem.isEmpty)
            }
        }
    }
}
