"""What is filled into the templates beside people and towns: nationalities, companies and their parts, streets, jobs, things. Pure data."""

from __future__ import annotations


def split(said: str) -> list[str]:
    return [part.strip() for part in said.split(",")]


NATIONALITIES = split(
    "Afghan, Albanian, Algerian, American, Andorran, Angolan, Argentine, Argentinian, Armenian, Australian, Austrian, Azerbaijani,"
    " Bahraini, Bangladeshi, Barbadian, Basque, Bavarian, Belarusian, Belgian, Belizean, Beninese, Bhutanese, Bolivian, Bosnian,"
    " Brazilian, British, Bruneian, Bulgarian, Burmese, Burundian, Cambodian, Cameroonian, Canadian, Catalan, Chadian, Chilean,"
    " Chinese, Colombian, Congolese, Costa Rican, Croatian, Cuban, Cypriot, Czech, Danish, Dominican, Dutch, Ecuadorian, Egyptian,"
    " Emirati, English, Eritrean, Estonian, Ethiopian, European, Faroese, Fijian, Filipino, Finnish, Flemish, French, Gambian,"
    " Georgian, German, Ghanaian, Greek, Greenlandic, Guatemalan, Guinean, Guyanese, Haitian, Hawaiian, Honduran, Hungarian,"
    " Icelandic, Indian, Indonesian, Iranian, Iraqi, Irish, Israeli, Italian, Ivorian, Jamaican, Japanese, Jordanian, Kazakh,"
    " Kenyan, Korean, Kosovar, Kurdish, Kuwaiti, Laotian, Latvian, Lebanese, Liberian, Libyan, Lithuanian, Luxembourgish,"
    " Macedonian, Malagasy, Malawian, Malaysian, Maldivian, Malian, Maltese, Mauritanian, Mauritian, Mexican, Moldovan, Mongolian,"
    " Montenegrin, Moroccan, Mozambican, Namibian, Nepalese, Nicaraguan, Nigerian, Norwegian, Omani, Pakistani, Palestinian,"
    " Panamanian, Paraguayan, Persian, Peruvian, Polish, Portuguese, Puerto Rican, Qatari, Romanian, Russian, Rwandan, Salvadoran,"
    " Samoan, Saudi, Scottish, Senegalese, Serbian, Sicilian, Singaporean, Slovak, Slovenian, Somali, South African, South Korean,"
    " Spanish, Sri Lankan, Sudanese, Surinamese, Swedish, Swiss, Syrian, Taiwanese, Tajik, Tanzanian, Thai, Tibetan, Togolese,"
    " Tongan, Tunisian, Turkish, Turkmen, Ugandan, Ukrainian, Uruguayan, Uzbek, Venezuelan, Vietnamese, Welsh, Yemeni, Zambian,"
    " Zimbabwean, Christian, Catholic, Protestant, Jewish, Muslim, Hindu, Buddhist, Sikh, Sunni, Shia, Mormon, Republican,"
    " Democratic, Latino, Hispanic, Asian, African, Arab"
)
REGIONS = split(
    "River Thames, Danube, Rhine, Amazon, Nile, Mississippi, Black Forest, Alps, Andes, Rocky Mountains, Himalayas, Lake Geneva,"
    " Lake Michigan, Bavaria, Tuscany, Andalusia, Normandy, Flanders, Catalonia, Scotland, Wales, Cornwall, Yorkshire, Siberia,"
    " California, Texas, Ontario, Queensland, Patagonia, Sahara, Scandinavia, Balkans, Caribbean, Middle East, Southeast Asia,"
    " Silicon Valley, Brooklyn, Manhattan, Hyde Park, Central Park, Europe, Asia, Africa, South America, North America, Antarctica,"
    " Pacific Ocean, Atlantic, Mediterranean, Baltic Sea, Hudson River, Mount Everest, Kilimanjaro, Loch Ness"
)
STATES = split(
    "Alabama, Alaska, Arizona, Arkansas, Colorado, Florida, Georgia, Hawaii, Idaho, Illinois, Indiana, Iowa, Kansas, Kentucky,"
    " Louisiana, Maine, Maryland, Massachusetts, Michigan, Minnesota, Missouri, Montana, Nebraska, Nevada, New Jersey, New Mexico,"
    " New York, North Carolina, Ohio, Oklahoma, Oregon, Pennsylvania, South Dakota, Tennessee, Utah, Vermont, Virginia, Washington,"
    " Wisconsin, Wyoming, Alberta, Quebec, Manitoba, Victoria, Tasmania, Hesse, Saxony, Lombardy, Brittany, Galicia, Punjab, Kerala"
)
TITLES = split(
    "Mr., Mrs., Ms., Dr., Mr, Mrs, Ms, Dr, Miss, Prof., Professor, Sir, Madam, Lady, Lord, Herr, Frau, Señor, Monsieur, Rev."
)
COMPANIES = split(
    "Google, Microsoft, Apple, Amazon, Facebook, Meta, Netflix, Tesla, IBM, Intel, Oracle, SAP, Siemens, Bosch, BMW, Volkswagen,"
    " Toyota, Honda, Sony, Samsung, Nokia, Ericsson, Philips, Shell, BP, ExxonMobil, Chevron, Walmart, Target, Costco, IKEA, Lidl,"
    " Aldi, Tesco, Carrefour, Nestlé, Unilever, Danone, Coca-Cola, Pepsi, Starbucks, McDonald's, Visa, Mastercard, PayPal, Stripe,"
    " HSBC, Barclays, Deutsche Bank, Goldman Sachs, JPMorgan Chase, Morgan Stanley, Wells Fargo, Citigroup, Santander, UBS, Allianz,"
    " AXA, Pfizer, Novartis, Roche, Bayer, Merck, AstraZeneca, Airbus, Boeing, Lufthansa, Ryanair, Delta Air Lines, Uber, Airbnb,"
    " Spotify, Twitter, LinkedIn, Reddit, YouTube, TikTok, Adobe, Salesforce, Cisco, Dell, HP, Lenovo, Huawei, Alibaba, Tencent,"
    " BBC, CNN, Reuters, NASA, NATO, UNESCO, UNICEF, the United Nations, FBI, CIA, WHO, FIFA, UEFA, NBA, MIT, Harvard University,"
    " Stanford University, Oxford University, Red Cross, Greenpeace, Amnesty International, European Union, World Bank, Interpol,"
    " House of Commons, Supreme Court, Congress, Senate, Pentagon, Kremlin, Manchester United, Real Madrid, Chicago Bulls, Labour"
    " Party, Democratic Party, Bundestag, Vodafone, Verizon, AT&T, FedEx, DHL, UPS, Nike, Adidas, Zara, H&M, L'Oréal, Gucci"
)
STEMS = split(
    "Blue, Green, Red, Silver, Gold, North, South, East, West, Summit, River, Stone, Bright, Clear, First, Prime, Core, Data, Cloud,"
    " Net, Soft, Micro, Macro, Health, Care, Life, Bio, Gen, Med, Pharma, Energy, Solar, Power, Water, Food, Farm, Agri, Trade, Trans,"
    " Global, Inter, Pan, Euro, Amer, Uni, Omni, Inno, Nova, Neo, Zen, Quant, Vector, Matrix, Pixel, Logic, Smart, Swift, Rapid, Open,"
    " Public, Civic, Metro, Urban, Home, House, Land, Real, Trust, Credit, Capital, Wealth, Fund, Bank, Insure, Legal, Law, Tax, Audit,"
    " Map, Geo, Terra, Aqua, Sky, Star, Sun, Moon, Orbit, Space, Air, Jet, Auto, Motor, Drive, Cargo, Ship, Port, Rail, Road, Way, Path,"
    " Link, Connect, Hub, Point, Spot, Place, Base, Camp, Lab, Works, Forge, Craft, Build, Tech, Digi, Cyber, Info, Mind, Brain, Think,"
    " Learn, Edu, School, Book, Page, Print, Media, Press, News, Voice, Sound, Music, Game, Play, Sport, Fit, Active, Vital, Pure, Fresh"
)
NOUNS = split(
    "Solutions, Systems, Technologies, Analytics, Partners, Capital, Group, Holdings, Industries, Services, Consulting, Insurance,"
    " Health, Healthcare, Medical, Energy, Networks, Media, Software, Labs, Research, Foods, Foundation, Institute, Bank, Markets,"
    " Investments, Advisors, Ventures, Logistics, Motors, Airlines, Pharmaceuticals, Insights, Data, Interactive, Studios, Properties,"
    " Financial, Security, Electric, Engineering, Association, Alliance, Society, Union, Records, Publishing, Explorer, Exchange"
)
LEGAL = split(
    "Inc, Inc., LLC, Ltd, Ltd., Corp, Corp., Co., PLC, GmbH, AG, S.A., B.V., AB, A/S, Oy, Group, & Co., International, N.V., Pty Ltd"
)
JOBS = split(
    "nurse, teacher, engineer, software engineer, accountant, lawyer, driver, bus driver, plumber, electrician, carpenter, farmer,"
    " baker, chef, waiter, manager, project manager, sales manager, product manager, director, clerk, office clerk, secretary,"
    " receptionist, salesperson, consultant, analyst, data analyst, designer, architect, journalist, editor, writer, translator,"
    " librarian, police officer, firefighter, soldier, pilot, flight attendant, mechanic, machine operator, cleaner, gardener,"
    " dentist, surgeon, physician, pharmacist, psychologist, social worker, scientist, chemist, biologist, historian, actor, singer,"
    " Chief Executive Officer, Chief Financial Officer, Vice President, Head of Marketing, Sales Assistant, Account Manager,"
    " Research Assistant, HR Manager, Customer Service Representative, Store Manager, Systems Administrator, Staff Engineer"
)
THINGS = split(
    "report, invoice, contract, budget, order, package, parcel, card, account, subscription, phone, laptop, printer, router, car,"
    " bike, table, chair, lamp, book, ticket, letter, form, survey, presentation, proposal, draft, schedule, statement, payment,"
    " refund, loan, policy, claim, password, server, database, website, app, battery, engine, wheel, pump, valve, sensor, camera,"
    " guitar, piano, violin, apple, pear, cake, sandwich, pencil, marble, sticker, coin, flower, tree, window, door, key, bag, shoe"
)
KNOWN = split(
    "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, January, February, March, April, June, July, August, September,"
    " October, November, December, Christmas, Easter, Thanksgiving, Ramadan, Monday morning, Friday night, Tuesday afternoon"
)
WORKS = split(
    "The Silent Garden, Midnight Train, Broken Glass, Letters to Nobody, The Last Summer, Rain on Stone, A Year of Snow, Highway Song,"
    " Golden Days, The Fall of Night, Burning Bridges, Paper Boats, Under the Bridge of Sighs, Hello Again, Second Chances, Black Water,"
    " The Clockmaker, Dust and Honey, Electric Hearts, One More Time, Lost at Sea, The Winter Guest, Small Mercies, Green Light"
)
WAYS = split(
    "Street, St, St., Avenue, Ave, Road, Rd, Drive, Dr, Lane, Ln, Boulevard, Court, Place, Square, Terrace, Crescent, Close, Way"
)
LATE = split(
    "straße, strasse, gasse, weg, platz, allee, gatan, gränd, vägen, vej, gade, veien, gata, katu, tie, kuja, laan, straat, plein, braut,"
    " vegur, gata, stræti, ova, ská, nová, gate, toften, parken, haven, ring, damm, ufer, hof"
)
EARLY = split(
    "Rue, Rue de, Rue du, Avenue de, Boulevard, Via, Viale, Piazza, Corso, Calle, Calle de, Avenida, Plaza, Paseo, Rua, Travessa,"
    " Avenida de, ul., ulica, al., Strada, Largo, Impasse, Chemin des, Vicolo, Carrer de, Rúa, Place, Quai"
)
ROUND = split(
    "utca, u., út, tér, gate, vei, vej, street, caddesi, sokak, trg, cesta, ulica, iela, gatvė, tee, plads, park, Parkway, Heights"
)
