import Testing

@testable import HelperOperations

@Suite struct HooksTests {
    @Test(arguments: [
        (#"{"Hooks":{"poststop":null,"prestart":[{"path":"/x"}]}}"#, false),
        (#"{"Hooks":{"poststop":[],"prestart":null}}"#, false),
        (#"{"config":{"rootfs":"/r","Hooks":null}}"#, false), (#"{"config":{"rootfs":"/r"}}"#, false),
        (#"{"Hooks":{"poststop":[{"path":"/x"}]}}"#, true),
        ("{ \"hooks\" : {\n \"poststop\" :\t[ \n {\"path\":\"/x\"}]}}", true),
        ("{ \"poststop\": [ \n ], \"poststop\":[1]}", true),
        (#"{"annotation":"\"poststop\":[1]"}"#, false),
        (#"{"poststop"#, false), (#"{"poststop":["#, false), ("", false), (#""""poststop":[1"#, true),
    ])
    func poststopHooksAreFound(_ text: String, _ expected: Bool) {
        #expect(namesPoststopHook(Array(text.utf8)) == expected)
    }
}
