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

    /// What the compiler and the linker can do against mistakes in the privileged half.
    @Test func isHardened() throws {
        let helper = try helper()
        let segments = try shell("readelf --program-headers --wide \(helper)")
        let loads = segments.matches(of: /LOAD +(?:0x[0-9a-f]+ +){5}([RWE ]{3})/).map { String($0.1) }
        #expect(loads.first == "R  " && loads.count { $0.contains("E") } == 1 && loads.contains("R E"), "\(loads)")
        // What is executable is code, and nothing else.
        let code = segments.split(separator: "\n").filter { $0.contains(" .text ") }
        #expect(code.count == 1)
        let names = code.flatMap { $0.split(separator: " ").dropFirst() }
        #expect(Set(names).isSubset(of: [".init", ".fini", ".plt", ".plt.sec", ".text", ".iplt"]), "\(names)")
        #expect(segments.contains("GNU_RELRO") && segments.contains(/GNU_STACK.* RW\s/))
        let symbols = try shell("readelf --dyn-syms --wide \(helper)")
        #expect(symbols.contains("__stack_chk_fail@") && symbols.contains(/_chk@/), "stack protector, FORTIFY")
        guard try shell("uname -m") == "x86_64\n" else { return }
        #expect(try shell("readelf --notes --wide \(helper)").contains("SHSTK"))
        let marks = try shell("objdump --disassemble \(helper) | grep -c endbr64").dropLast()
        #expect(try #require(Int(marks)) > 500, "a mark at each target of an indirect jump")
    }

    /// Whoever builds this commit gets these bytes.
    @Test func isReproducible() throws {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let said = try shell(
            "cd '\(Tree.path)' && PATH='\(path)' HOME=/root packaging/reproducible \(try helper()) 2>&1", seconds: 300)
        #expect(said.contains("the same bytes"), "\(said)")
    }
}
