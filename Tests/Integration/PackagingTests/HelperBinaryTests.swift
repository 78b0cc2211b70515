import Foundation
import TestNode
import Testing

/// The helper as it is shipped.
@Suite(.serialized) struct HelperBinaryTests {
    private func helper() throws -> String {
        let path = ProcessInfo.processInfo.environment["PODREAP_HELPER"] ?? "\(Tree.path)/.build-helper/podreap-helper"
        return try #require(FileManager.default.isReadableFile(atPath: path) ? path : nil, "make helper builds it")
    }

    /// Distributions with glibc 2.34 can start it, and it needs nothing but that, libcap and libseccomp.
    @Test func needsNothingNew() throws {
        let symbols = try shell("readelf --dyn-syms --wide \(try helper())")
        let versions = symbols.matches(of: /@GLIBC_(\d+)\.(\d+)/).compactMap { match in
            Int(match.1).flatMap { major in Int(match.2).map { major * 1000 + $0 } }
        }
        #expect(versions.count > 20)
        #expect(try #require(versions.max()) <= 2034)
        let dynamic = try shell("readelf --dynamic --wide \(try helper())")
        let libraries = dynamic.matches(of: /Shared library: \[([^\]]+)\]/).map { String($0.1) }
        #expect(
            Set(libraries).isSubset(of: [
                "libc.so.6", "libcap.so.2", "libseccomp.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1",
            ]), "\(libraries)")
        #expect(dynamic.contains("BIND_NOW") && dynamic.contains("PIE"))
        #expect(!dynamic.contains("RUNPATH") && !dynamic.contains("RPATH"))
    }

    /// Whoever builds this commit gets these bytes.
    @Test func isReproducible() throws {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let said = try shell(
            "cd '\(Tree.path)' && PATH='\(path)' HOME=/root packaging/reproducible \(try helper()) 2>&1", seconds: 300)
        #expect(said.contains("the same bytes"), "\(said)")
    }
}
