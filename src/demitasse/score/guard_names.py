"""Words that name one of several things of a kind, as data: another one of them asks for something else. Our own, and short:
names that are written as names need no list.
"""

# ruff: noqa: SIM905 - lists of words are read as running text
from __future__ import annotations

from typing import Final

PLACES: Final = frozenset(
    """
    afghanistan albania algeria andorra angola argentina armenia australia austria azerbaijan bahamas bahrain bangladesh
    barbados belarus belgium belize benin bhutan bolivia bosnia botswana brazil brunei bulgaria burundi cambodia cameroon
    canada chad chile china colombia congo croatia cuba cyprus czechia denmark djibouti ecuador egypt england eritrea
    estonia ethiopia fiji finland france gabon gambia georgia germany ghana greece greenland guatemala guinea guyana haiti
    honduras hungary iceland india indonesia iran iraq ireland israel italy jamaica japan jordan kazakhstan kenya korea
    kosovo kuwait laos latvia lebanon lesotho liberia libya liechtenstein lithuania luxembourg madagascar malawi malaysia
    maldives mali malta mauritius mexico moldova monaco mongolia montenegro morocco mozambique myanmar namibia nepal
    netherlands holland nicaragua niger nigeria norway oman pakistan palestine panama paraguay peru philippines poland
    portugal qatar romania russia rwanda scotland senegal serbia singapore slovakia slovenia somalia spain sudan suriname
    sweden switzerland syria taiwan tajikistan tanzania thailand tibet togo tunisia turkey turkmenistan uganda ukraine
    uruguay usa uk us uae uzbekistan venezuela vietnam wales yemen zambia zimbabwe europe asia africa america antarctica
    oceania eu
    alabama alaska arizona arkansas california colorado connecticut delaware florida hawaii idaho illinois indiana iowa
    kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana nebraska nevada
    ohio oklahoma oregon pennsylvania tennessee texas utah vermont virginia wisconsin wyoming
    amsterdam athens atlanta auckland baghdad bangalore bangkok barcelona basel beijing beirut belfast belgrade berlin
    bern birmingham bogota bonn boston bratislava brisbane bristol brussels bucharest budapest cairo calgary cardiff
    chicago cologne copenhagen dallas delhi denver detroit dubai dublin dresden düsseldorf edinburgh florence frankfurt
    geneva genoa glasgow hamburg hanoi havana helsinki houston istanbul jakarta jerusalem johannesburg kiev kyiv krakow
    leeds leipzig lima lisbon liverpool london lyon madrid manchester manila marseille melbourne miami milan montreal
    moscow mumbai munich nairobi naples nice osaka oslo ottawa paris philadelphia phoenix portland porto prague
    riyadh rome rotterdam salzburg santiago seattle seoul seville shanghai sofia stockholm strasbourg stuttgart sydney
    tallinn tehran tokyo toronto toulouse tunis turin valencia vancouver venice vienna vilnius warsaw washington
    wellington zagreb zurich mars venus jupiter saturn uranus neptune pluto mercury earth moon sun
    deutschland frankreich italien spanien österreich schweiz wien münchen köln allemagne espagne italie suisse londres
    alemania francia españa italia inglaterra
    """.split()
)

PEOPLES: Final = frozenset(
    """
    english german french spanish italian portuguese dutch swedish norwegian danish finnish icelandic polish czech slovak
    hungarian romanian bulgarian greek turkish russian ukrainian serbian croatian slovenian albanian latvian lithuanian
    estonian irish scottish welsh british american canadian mexican brazilian argentinian chilean peruvian colombian cuban
    australian austrian swiss belgian arabic arab hebrew israeli persian farsi iranian iraqi egyptian moroccan kurdish urdu
    hindi bengali punjabi tamil telugu marathi gujarati kannada malayalam nepali indian pakistani chinese mandarin cantonese
    taiwanese japanese korean vietnamese thai lao khmer burmese malay indonesian tagalog filipino mongolian tibetan swahili
    zulu xhosa yoruba igbo hausa amharic somali african asian european latin sanskrit esperanto gaelic catalan basque
    galician yiddish hawaiian maori catholic protestant orthodox muslim islamic jewish christian hindu buddhist
    deutsch englisch französisch spanisch italienisch allemand anglais français espagnol alemán inglés francés español
    """.split()
)

MONEY: Final = frozenset(
    """
    dollar dollars usd euro euros eur pound pounds gbp sterling yen jpy yuan rmb cny renminbi rupee rupees inr franc francs
    chf peso pesos mxn real reais brl ruble rubles rouble rub won krw lira try krona kronor sek nok dkk zloty pln forint huf
    koruna czk shekel ils rand zar dirham aed riyal sar baht thb ringgit rupiah dong bitcoin btc ethereum eth dogecoin
    litecoin solana tether cent cents pence penny bucks cad aud nzd hkd sgd
    """.split()
)

TOOLS: Final = frozenset(
    """
    python java javascript typescript ruby rust go golang kotlin swift scala perl php haskell erlang elixir clojure lisp
    scheme fortran cobol pascal matlab julia r c sql bash zsh powershell html css xml json yaml toml csv markdown latex
    postgres postgresql mysql sqlite mariadb oracle mongodb redis cassandra kafka rabbitmq docker kubernetes podman terraform
    ansible git svn mercurial github gitlab bitbucket jenkins linux windows macos ubuntu debian fedora android ios unix
    django flask fastapi rails spring laravel react angular vue svelte nextjs node nodejs deno npm yarn pip conda
    numpy pandas scipy pytorch tensorflow keras excel word powerpoint outlook gmail google bing yahoo amazon aws azure gcp
    apple microsoft facebook meta instagram twitter tiktok youtube netflix spotify uber lyft airbnb paypal visa mastercard
    amex stripe samsung sony nintendo intel amd nvidia tesla toyota honda ford bmw mercedes audi volkswagen http https ftp
    ssh tcp udp ipv4 ipv6 rest graphql grpc gpt claude gemini llama mistral chrome firefox safari edge
    """.split()
)

KINDS: Final = frozenset(
    """
    red orange yellow green blue purple violet pink brown black white grey gray gold silver bronze
    january february march april may june july august september october november december
    monday tuesday wednesday thursday friday saturday sunday
    spring summer autumn winter christmas easter halloween thanksgiving ramadan hanukkah diwali
    iron copper zinc tin lead aluminium aluminum nickel platinum mercury helium hydrogen oxygen nitrogen carbon sodium
    potassium calcium magnesium chlorine sulfur phosphorus iodine uranium
    cat dog horse cow pig sheep goat chicken duck rabbit mouse rat lion tiger bear wolf fox elephant monkey snake fish bird
    apple banana pear peach cherry grape lemon lime orange strawberry blueberry mango pineapple potato tomato onion carrot
    rice pasta bread cheese milk butter egg eggs beef pork lamb salmon tuna shrimp coffee tea beer wine
    guitar piano violin drums flute trumpet football soccer basketball baseball tennis golf hockey cricket rugby
    montag dienstag mittwoch donnerstag freitag samstag sonntag lundi mardi mercredi jeudi vendredi samedi dimanche
    lunes martes miércoles jueves viernes sábado domingo
    januar februar märz mai juni juli oktober dezember janvier février mars avril juin juillet août septembre octobre
    novembre décembre enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    """.split()
)
"""Words that name one of several things of a kind: another one of them asks for something else."""

HOMONYMS: Final = frozenset(
    """
    may march us it who am in or as is nice turkey china polish go r c rest node swift rust edge word excel meta oracle try
    won real reals rand lira dong cent mark react spring fall lead safari chad jordan georgia mali niger guinea sun earth
    moon mercury mars lime orange apple visa express angular basic scheme julia flask access square target shell gap
    nuts bear fish duck mouse bird cherry date tin iron gold silver won son yen pound pounds try ford opera
    """.split()
)
"""Words that are names only where they are written as one."""

NAMED: Final = (PLACES | PEOPLES | MONEY | TOOLS | KINDS) - HOMONYMS
