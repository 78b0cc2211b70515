import Foundation
import GRDB
import Testing

@testable import SandboxRegistry

/// Names with what separates a reserved name's parts in them.
@Suite("Reserved names")
struct NameTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func sandbox(_ id: String, _ name: String, _ namespace: String) -> Sandbox {
        var sandbox = Sandbox.sample(id)
        sandbox.metadata = PodMetadata(name: name, namespace: namespace, uid: "u", attempt: 0)
        return sandbox
    }

    @Test func differentPodsHaveDifferentNames() throws {
        let parts = ["a", "_", "%", "a_b", "5f", "%5f", "b_", "__"]
        var names: Set<String> = []
        for name in parts {
            for namespace in parts {
                for uid in parts {
                    let pod = PodMetadata(name: name, namespace: namespace, uid: uid, attempt: 1)
                    names.insert(pod.reservedName)
                    let back = try #require(PodMetadata.names(reserved: pod.reservedName))
                    #expect(back.name == name && back.namespace == namespace)
                }
            }
        }
        #expect(names.count == parts.count * parts.count * parts.count)
        #expect(
            PodMetadata(name: "web-1", namespace: "default", uid: "u", attempt: 2).reservedName == "web-1_default_u_2")
    }

    @Test func bothCanBeRegistered() throws {
        let registry = try Registry(path: directory.registry)
        let (first, second) = (sandbox("a", "x_y", "z"), sandbox("b", "x", "y_z"))
        try registry.register(first, [first.workload("c1", name: "n_x")])
        try registry.register(second, [second.workload("c2", name: "n")])
        #expect(throws: RegistryError.self) { try registry.register(sandbox("d", "x_y", "z"), []) }
        try registry.keepReport(.sample("a", pod: first.metadata.reservedName))
        #expect(try registry.reports(limit: 9, ofPod: "x_y", in: "z").count == 1)
        #expect(try registry.reports(limit: 9, ofPod: "x", in: nil).isEmpty)
    }

    @Test func theFirstReleasesNamesAreMadeAnew() throws {
        do {
            let old = try DatabaseQueue(path: directory.registry)
            try old.writeWithoutTransaction { database in
                try database.execute(sql: "PRAGMA journal_mode = WAL")
                try database.execute(sql: Schema.tables)
                try database.execute(
                    sql: """
                        INSERT INTO sandbox VALUES ('a', 'x_y', 'z', 'u', 0, 0, 'ready', 'runc', '', '', NULL, '{}', '{}');
                        INSERT INTO place (sandbox, role, path) VALUES ('a', 'directory', '/run/pods/a');
                        INSERT INTO container VALUES
                            (1, 'c', 'a', 0, 'n_m', 1, 0, 'runc', '', 15, NULL, NULL, '{}', '{}');
                        INSERT INTO name VALUES ('sandbox', 'x_y_z_u_0', 'a', 'a');
                        INSERT INTO name VALUES ('container', 'n_m_x_y_z_u_1', 'c', 'a');
                        INSERT INTO name VALUES ('container', 'POD_x_y_z_u_0', 'gone', 'a');
                        PRAGMA application_id = \(Schema.applicationID); PRAGMA user_version = 1;
                        """)
            }
        }
        let registry = try Registry(path: directory.registry)
        let names = try registry.read { try String.fetchAll($0, sql: "SELECT name FROM name ORDER BY name") }
        #expect(names == ["POD_x%5fy_z_u_0", "n%5fm_x%5fy_z_u_1", "x%5fy_z_u_0"])
        #expect(throws: RegistryError.self) { try registry.register(sandbox("b", "x_y", "z"), []) }
        try registry.register(sandbox("b", "x", "y_z"), [])
    }
}

/// The clock as the registry notes it.
@Suite("Clock")
struct ClockTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    @Test func jumpsForwardAreNoted() throws {
        let registry = try Registry(path: directory.registry)
        let boot = Date(timeIntervalSince1970: 1_700_000_000)
        func note(_ age: Double, set: Double = 0, boot id: String = "b") throws -> [ClockJump] {
            let reading = ClockReading(bootID: id, wall: boot + age + set, sinceBoot: .seconds(age))
            return try registry.noteClock(reading)
        }
        #expect(try note(100).isEmpty)
        #expect(try note(200, set: 0.5).isEmpty, "as NTP corrects it")
        let jumps = try note(300, set: 3600.5)
        #expect(jumps == [ClockJump(before: boot + 300.5, length: .seconds(3600))])
        #expect(
            try Registry(path: directory.registry).noteClock(
                ClockReading(bootID: "b", wall: boot + 400 + 3600.5, sinceBoot: .seconds(400))) == jumps)
        #expect(try note(500, set: 0) == jumps, "set back again")
        #expect(try note(600, set: 60).count == 2)
        #expect(try note(10, set: 1000, boot: "another").isEmpty)
    }
}
