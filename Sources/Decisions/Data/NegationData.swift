// SPDX-License-Identifier: Apache-2.0

/// Words that negate, and function words that tell the language, by language. French "ne" is left out: its partner
/// carries the negation, with or without it.
enum NegationData {
    static let english: StaticString = """
        not no never without none nor neither nothing nobody nowhere unable
        """
    static let german: StaticString = """
        nicht kein keine keinen keinem keiner keines nie niemals niemand niemanden nichts nirgends nirgendwo ohne
        weder
        """
    static let germanMarkers: StaticString = """
        der die das den dem des ein eine einen einem einer ich du er wir ihr ist sind bin habe hat haben wird
        werden kann können muss soll mein meine meinen meinem meiner dein ihre und oder aber wenn weil dass wie wer wo
        wann warum wieso welche welcher welches für mit von zu zum zur im auf bei nach aus über sich es man noch auch
        """
    static let french: StaticString = """
        pas jamais rien aucun aucune sans nulle ni
        """
    static let frenchMarkers: StaticString = """
        le la les un une des du de et est sont suis ai as avons avez ont je tu il elle nous vous ils elles mon ma mes
        ton ta votre vos que qui quoi quel quelle quels comment combien où quand pourquoi pour avec dans sur ce cette
        ces ne n l d j c qu puis peux peut au aux y en se me
        """
    static let spanish: StaticString = """
        no nunca jamás nada nadie ningún ninguna ninguno sin tampoco ni
        """
    static let spanishMarkers: StaticString = """
        el la los las un una unos unas de del y es son soy está están estoy he ha han tengo tiene yo tú él ella mi mis
        tu su sus que qué quién cuál cómo cuándo cuánto cuánta dónde por para con en se me lo le al puedo puede si más
        """
    static let italian: StaticString = """
        non mai niente nulla nessuno nessuna nessun senza né neanche
        """
    static let italianMarkers: StaticString = """
        il lo la i gli le un uno una di del della dei e è sono ho ha hai hanno io tu lui lei mio mia miei che chi cosa
        quale come quando quanto dove perché per con in su si mi al alla nel posso può
        """
    static let dutch: StaticString = """
        niet geen nooit niemand niets nergens zonder noch
        """
    static let dutchMarkers: StaticString = """
        de het een en is zijn ben heb heeft ik jij je hij zij wij mijn uw van voor met op aan bij naar uit dat die wie
        wat waar wanneer waarom hoe hoeveel welke kan kunnen moet mag er te om als
        """
    static let portuguese: StaticString = """
        não nunca jamais nada ninguém nenhum nenhuma sem tampouco nem
        """
    static let portugueseMarkers: StaticString = """
        o a os as um uma de do da dos das e é são sou está estão estou tenho tem eu você ele ela meu minha que quem
        qual como quando quanto onde por para com em no na se me posso pode
        """
}
