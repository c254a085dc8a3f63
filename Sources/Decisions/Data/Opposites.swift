// SPDX-License-Identifier: Apache-2.0

/// Words that turn a question round when one takes the place of the other.
struct Opposites: Sendable {
    /// A stem's place in the table; 0: it has no opposite.
    typealias Group = UInt16

    static let shared = Opposites()

    private(set) var groups: [UInt64: Group] = [:]
    private var pairs: Set<UInt32> = []

    private init() {
        for table in [Self.data, Self.everyday] {
            var head: Group = 0
            for word in table.tableWords {
                if word == [UInt8(ascii: ".")] {
                    head = 0
                    continue
                }
                let group = group(Stem.hash(word))
                if head == 0 {
                    head = group
                } else {
                    pairs.insert(Self.pair(head, group))
                }
            }
        }
    }

    private mutating func group(_ stem: UInt64) -> Group {
        if let known = groups[stem] { return known }
        let new = Group(groups.count + 1)
        groups[stem] = new
        return new
    }

    private static func pair(_ one: Group, _ two: Group) -> UInt32 {
        UInt32(min(one, two)) << 16 | UInt32(max(one, two))
    }

    func areOpposite(_ one: Group, _ two: Group) -> Bool {
        one != 0 && two != 0 && pairs.contains(Self.pair(one, two))
    }

    /// What WordNet does not have: trade, money, switches, places in an order, kinship. A word, its opposites, a full
    /// stop.
    static let everyday: StaticString = """
        credit debit . virtual physical . king queen . prince princess . son daughter . brother sister . born buried
        died dead . send receive . add remove delete . deposit withdraw . buy sell . purchase sell . lend borrow .
        forget learn remember . accept decline reject refuse . approve reject deny decline . activate deactivate .
        enable disable . freeze unfreeze . block unblock . lock unlock . subscribe unsubscribe . install uninstall .
        minimum maximum . min max . top bottom . early late . cheap expensive . big small little . large small . great
        small . biggest smallest . international domestic . foreign domestic . global local . online offline .
        incoming outgoing . upload download . login logout . import export . arrive depart leave . arrival departure .
        start stop end finish . begin end stop . open close shut . win lose . won lost . gain lose . join leave quit .
        pass fail . success failure . love hate . cause prevent . allow forbid prevent block . permit forbid .
        increase decrease reduce lower . raise lower . rise fall . up down . on off . before after . above below .
        over under . inside outside . left right . front back . north south . east west . northern southern . eastern
        western . high low . tall short . long short . old new young . hot cold warm . summer winter . spring autumn .
        day night . morning evening . more less fewer . most least fewest . best worst . better worse . good bad .
        first last . next previous last . latest earliest . newest oldest . fast slow . quick slow . easy hard
        difficult . full empty . public private . true false . correct wrong incorrect . right wrong . legal illegal .
        safe unsafe dangerous . positive negative . male female . man woman . men women . boy girl . husband wife .
        mother father . mom dad . uncle aunt . married divorced single . single double . create delete destroy . build
        destroy . connect disconnect . attach detach . show hide . include exclude . encrypt decrypt . compress
        decompress . push pull . pay refund . save spend delete . employ fire
        dismiss . hire fire . employer employee . landlord tenant . teacher student . doctor patient . buyer seller .
        lender borrower . winner loser . owner renter . parent child . attack defend . offense defense . war peace .
        life death . live die . alive dead . strong weak . heavy light . light dark . wet dry . clean dirty . rich
        poor . thick thin . wide narrow . deep shallow . loud quiet . sweet sour bitter . sugar salt . ascending
        descending . vertical horizontal . input output . read write . even odd . major minor . senior junior .
        superior inferior . internal external . interior exterior . temporary permanent . fixed variable . manual
        automatic . wired wireless . paid free unpaid . always never . same different . checkin checkout . debtor
        creditor . asset liability . profit loss . supply demand . export import . accepted rejected
        """
}
