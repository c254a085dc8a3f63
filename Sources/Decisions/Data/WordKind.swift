// SPDX-License-Identifier: Apache-2.0

/// Common words that name one of a kind: put another of its kind in its place, and the question is another one.
/// Rare names need no list.
enum WordKind: UInt8, CaseIterable, Sendable {
    case none, unit, day, month, season, place, people, currency, colour, brand, animal, sport, product, kin, food, code
    /// A sign of a formula ("+", "<"), or its name.
    case sign
    case amount, period, times, substance, medicine, craft, courtesy, structure

    private var names: StaticString {
        switch self {
        case .none: ""
        case .unit: "millennium fortnight fahrenheit celsius kelvin"
        case .day:
            """
            monday tuesday wednesday thursday friday saturday sunday today tomorrow yesterday tonight weekend morning
            afternoon evening noon midnight
            """
        case .month:
            """
            january february march april june july august september october november december
            """
        case .season: "summer winter autumn spring christmas easter thanksgiving halloween"
        case .place:
            """
            america usa england scotland wales ireland britain uk france germany spain portugal italy greece turkey
            russia ukraine poland hungary austria switzerland belgium netherlands holland denmark sweden norway
            finland iceland romania bulgaria serbia croatia czechia egypt israel iran iraq syria jordan arabia dubai
            india pakistan bangladesh china japan korea taiwan thailand vietnam indonesia malaysia singapore
            philippines australia zealand canada mexico cuba jamaica brazil argentina chile peru colombia venezuela
            uruguay kenya nigeria ethiopia ghana morocco algeria africa europe asia california texas florida york
            alaska hawaii oregon nevada arizona idaho montana colorado utah washington georgia virginia carolina
            alabama mississippi louisiana tennessee kentucky ohio michigan indiana illinois iowa missouri kansas
            oklahoma nebraska dakota wisconsin minnesota maine vermont massachusetts connecticut maryland delaware
            pennsylvania london paris berlin rome madrid vienna prague moscow athens dublin lisbon amsterdam brussels
            stockholm oslo helsinki budapest warsaw istanbul cairo tokyo beijing shanghai mumbai delhi bangkok sydney
            melbourne toronto montreal vancouver chicago boston dallas houston austin denver phoenix seattle portland
            miami orlando atlanta tampa philadelphia baltimore detroit nashville memphis cleveland milwaukee york
            angeles vegas francisco diego kong jersey niger mali malawi gambia zambia guinea senegal togo benin gabon
            congo rwanda burundi uganda tanzania sudan somalia libya tunisia angola mozambique zimbabwe botswana
            namibia lesotho eswatini liberia cameroon slovakia slovenia estonia latvia lithuania albania macedonia
            montenegro bosnia moldova belarus armenia azerbaijan kazakhstan uzbekistan turkmenistan kyrgyzstan
            tajikistan afghanistan nepal bhutan myanmar cambodia laos mongolia yemen oman qatar bahrain kuwait lebanon
            palestine cyprus malta luxembourg monaco ecuador bolivia paraguay guyana suriname panama nicaragua honduras
            guatemala belize dominica haiti barbados bahamas grenada trinidad fiji samoa tonga nauru kiribati tuvalu
            vanuatu mauritius mauritania seychelles comoros maldives cairns geneva zurich milan naples florence venice
            barcelona valencia seville munich hamburg frankfurt cologne lyon marseille manchester liverpool leeds
            glasgow edinburgh cardiff belfast mecca medina
            """
        case .people:
            """
            english french german spanish italian portuguese dutch swedish norwegian danish finnish russian polish
            hungarian greek turkish arabic hebrew chinese mandarin japanese korean hindi latin irish scottish welsh
            american british canadian australian mexican brazilian indian african european asian roman ottoman mongol
            norman christian muslim islam judaism christianity buddhism hinduism catholic protestant republican
            democrat
            """
        case .currency:
            """
            bitcoin ethereum usd eur gbp jpy inr aud cad chf cny nzd sek nok dkk rub mxn brl krw
            """
        case .colour: "red blue green yellow orange purple pink black white brown gray gold silver violet"
        case .brand:
            """
            amazon apple google microsoft facebook twitter instagram linkedin whatsapp youtube netflix uber lyft tesla
            ford toyota honda bmw nissan samsung nokia sony visa mastercard amex discover paypal chase starbucks
            walmart spotify airbnb delta intel nike
            """
        case .animal:
            "dog cat horse cow pig sheep lion tiger bear elephant wolf fox rabbit mouse snake bird fish monkey"
        case .sport: "football baseball basketball soccer hockey tennis golf rugby cricket volleyball boxing"
        case .product: "checking savings loan mortgage insurance pension"
        case .kin: "mother father brother sister son daughter wife husband uncle aunt cousin grandmother grandfather"
        case .food:
            "coffee tea beer wine milk water bread rice pasta pizza chicken beef pork apple banana potato tomato"
        case .sign: "plus minus times divided multiplied"
        case .amount: "hundred thousand million billion trillion dozen half quarter double triple"
        case .period: "hourly daily nightly weekly biweekly fortnightly monthly quarterly yearly annual annually"
        case .times: "once twice thrice"
        case .substance:
            """
            methane ethane propane butane pentane ethene propene ethyne methanol ethanol propanol sulfate sulfite
            sulfide nitrate nitrite nitride chlorate chlorite chloride hydrogen oxygen nitrogen carbon helium
            lithium sodium potassium magnesium calcium iron copper zinc lead mercury fluorine chlorine bromine iodine
            adenine guanine cytosine thymine uracil microgram milligram
            """
        case .medicine:
            """
            prednisone prednisolone hydroxyzine hydralazine clonidine clonazepam celebrex celexa zantac xanax
            ibuprofen aspirin paracetamol acetaminophen naproxen warfarin heparin metformin insulin glucagon
            amoxicillin ampicillin penicillin codeine morphine fentanyl tramadol oxycodone hydrocodone diazepam
            lorazepam alprazolam sertraline fluoxetine citalopram lisinopril losartan amlodipine atenolol metoprolol
            cetirizine loratadine omeprazole lansoprazole estrogen testosterone progesterone epinephrine norepinephrine
            """
        case .craft: "write directed produced composed sang painted narrated edited starred conducted"
        case .courtesy:
            "please thanks thank hello hi goodbye bye sorry cheers gracias merci danke bitte grazie obrigado bonjour hola"
        case .structure:
            """
            list tuple set array dictionary dict string integer int float double boolean map vector queue stack heap tree
            graph struct class interface
            """
        case .code: "python java javascript ruby rust swift scala kotlin perl php golang typescript"
        }
    }

    /// Every name with its kind. "may" is left out: it more often is a verb.
    static let table: [(kind: WordKind, word: [UInt8])] = allCases.flatMap { kind in
        kind.names.tableWords.map { (kind, $0) }
    }

    /// Names that are written in several ways; those of one row are compared as the first.
    static let spellings: [[[UInt8]]] =
        ("""
    gray=grey savings=saving january=jan february=feb april=apr june=jun july=jul august=aug september=sep=sept
    october=oct november=nov december=dec tuesday=tue=tues wednesday=wed=weds thursday=thu=thur=thurs friday=fri
    mount=mt saint=st usa=america uk=britain netherlands=holland yearly=annual=annually
    write=wrote=written hello=hi=hey goodbye=bye program=programme catalog=catalogue dialog=dialogue child=children man=men woman=women
    tooth=teeth mouse=mice
    """ as StaticString).tableWords.map { row in
        row.split(separator: UInt8(ascii: "=")).map(Array.init)
    }

    /// What two words together are compared as.
    static let phrases: [[UInt8]] =
        ("""
    usa=united_states uk=united_kingdom atm=cash_machine thanks=thank_you please=por_favor please=per_favore
    """ as StaticString).tableWords
}

/// Names of units; those of one row are one unit. "second" alone is an ordinal.
enum Units {
    static let table: [[[UInt8]]] =
        ("""
    seconds=sec=secs minute=minutes=min=mins hour=hours=hr=hrs day=days week=weeks month=months year=years=yr=yrs
    decade=decades century=centuries millimeter=millimeters=millimetre=millimetres=mm
    centimeter=centimeters=centimetre=centimetres=cm meter=meters=metre=metres
    kilometer=kilometers=kilometre=kilometres=km=kms mile=miles inch=inches foot=feet=ft yard=yards
    microgram=micrograms=mcg=µg=μg=ug milligram=milligrams=mg gram=grams=g kilogram=kilograms=kilo=kilos=kg=kgs ounce=ounces=oz ton=tons=tonne=tonnes
    pound=pounds=lb=lbs liter=liters=litre=litres milliliter=milliliters=ml gallon=gallons pint=pints quart=quarts
    cup=cups tablespoon=tablespoons=tbsp teaspoon=teaspoons=tsp dollar=dollars=bucks euro=euros yen cent=cents
    peso=pesos franc=francs rupee=rupees percent=pct permille=‰ degree=degrees=° hertz=hz megahertz=mhz gigahertz=ghz watt=watts
    kilowatt=kilowatts=kw volt=volts byte=bytes kilobyte=kilobytes=kb megabyte=megabytes=mb gigabyte=gigabytes=gb
    terabyte=terabytes=tb mph kph
    """ as StaticString).tableWords.map { row in
        row.split(separator: UInt8(ascii: "=")).map(Array.init)
    }
}
