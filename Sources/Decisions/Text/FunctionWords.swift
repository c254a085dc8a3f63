// SPDX-License-Identifier: Apache-2.0

/// English words that carry the grammar of a question and not its subject.
enum FunctionWords {
    static let english: StaticString = """
        a an the of to in for on at by with from and or is are was were be been being am do does did doing done has
        have had having i you he she it we they me him her them us my your his its our their mine yours myself
        yourself this that these those there here what which who whom whose when where why how can could should would
        will may might must shall if so as than then but about into over out up off down through during before after
        above below under between against please tell hi hello hey thanks thank want wish need like get got know let
        just also too very really much many more most some any all each every both only even still yet ever again
        while because since until though although such same other another own now one ones thing things something
        anything way via per within onto upon ok okay vs
        """
    static let ordinals: StaticString = """
        first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
        fifteenth
        """
}
