// SPDX-License-Identifier: Apache-2.0

/// Tokens for ``now`` that joserfc 1.6.5 made, and the public halves of the keys that it made them with. The secret is
/// the bytes 0 to 31.
enum ForeignTokens {
    static let hs256 = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpbInNlbWNhY2h\
        lZCIsIm90aGVyIl0sImV4cCI6MTcwMDAwMzYwMCwiaWF0IjoxNjk5OTk5OTkwLCJ0ZW5hbnQiOiJhY21lIiwicm9sZXMiOlsicmV\
        hZCIsIndyaXRlIl19.EKIT6IDYFlHK5Z0cmZDJZL--E0vYJSTjXopNhNH7KTQ
        """
    static let rs256 = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwi\
        YXVkIjpbInNlbWNhY2hlZCIsIm90aGVyIl0sImV4cCI6MTcwMDAwMzYwMCwiaWF0IjoxNjk5OTk5OTkwLCJ0ZW5hbnQiOiJhY21l\
        Iiwicm9sZXMiOlsicmVhZCIsIndyaXRlIl19.ZDCnzbbTM87TzSQs7KGKxiVrA2wfXB0hSrnRxnheKduihoVri8_Gh3l83Haniu7\
        SNEsWQC2NxB018bUjshw1pSci3i_Adsmy-MaE4_nshRLUKwVvd-2jiBuOina7tDwojr-1QEF5B248roBsZH_PplzqqIbD7MaI_74\
        _2s3-Y5JV5Eg5DbwlkQt8Ft57eyW5GxKWCRRgO4hPRSSPSZnjQGsmzVluiWzW7fkuUupMs0k54gbDtRQ59IHugIns291Otm5clBv\
        _73AJVj9aIpDWiGz6u8KoT4SYC4iWTyKhGlPEXRXMn69tHr94IfL4RFG1uvmkAHy0fPtTPRu9F1C6eA
        """
    static let es256 = """
        eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiY\
        XVkIjpbInNlbWNhY2hlZCIsIm90aGVyIl0sImV4cCI6MTcwMDAwMzYwMCwiaWF0IjoxNjk5OTk5OTkwLCJ0ZW5hbnQiOiJhY21lI\
        iwicm9sZXMiOlsicmVhZCIsIndyaXRlIl19.eWe79Lp9ZhXT5_LQZsu5eD5LdM7XtI1NKkS5K4pm08vC4VbUgzSyv6mR80ciegSJ\
        2dB__FSpFpxfU6_KnuiOJw
        """
    static let keySet = #"""
        {"keys":[{"n":"qV2HuWMYcbAp-SPHxFNKJ4PpoUMq3pvVsz90ByB8lNwGNdRN6rsCNq-NFr8_etCBZY4DvA7ohl5-n0i0fW3-t\#
        KHQGZqLr22-hgzp8R--1s4Y8W2h0taNapRyxx-ruO7bh7nczzY5o--j3hZCO4JcoJ69oLzWwwU1FKQV83agxJ1IozGGnNW8zy43l\#
        rTfcR7yXsezTLHCWiZUZVlSIKBtWzm6cnNwC7pkndjHEJ-lYNeHQ5JinTMScsatwtiV-XfqQZlZnHp8niCOYqNzxvhjlIFMJqT7Q\#
        yeE-kE_p2EdRk3wSuo6Xv2eJWoIOBgGFmVuW9ryPzUjd9Pxit4bMLouEw","e":"AQAB","kid":"rsa-1","use":"sig","alg\#
        ":"RS256","kty":"RSA"},{"crv":"P-256","x":"9Mqf-PCethvnmqKRqJfrGiUv9MqGjGO_TxVHMFMVU3s","y":"o0_34Gd\#
        Ndcs5hCWbRktNOxofaD7eweYfXZxyan_ClAw","kid":"ec-1","use":"sig","alg":"ES256","kty":"EC"}]}
        """#
}
