"""Pairs of opposite words, as data: one of them in a question and the other in its like asks for something else. Our own.

English, and the most common of German, French and Spanish; each word in its plainest form.
"""

from __future__ import annotations

from typing import Final

OPPOSITES: Final = tuple(
    (one, other)
    for one, other in (
        pair.split()
        for pair in """
on off, in out, up down, left right, top bottom, upper lower, over under, above below, before after, ahead behind,
front back, forward backward, forwards backwards, inside outside, indoor outdoor, indoors outdoors, inner outer,
internal external, interior exterior, import export, input output, inbound outbound, incoming outgoing, inflow
outflow, upload download, push pull, send receive, sender receiver, sender recipient, give take, buy sell, buyer
seller, purchase sale, lend borrow, lender borrower, lease own, rent own, employer employee, teacher student,
teacher pupil, doctor patient, landlord tenant, host guest, parent child, mother father, mom dad, mum dad, son
daughter, brother sister, uncle aunt, nephew niece, husband wife, man woman, men women, male female, boy girl, king
queen, he she, him her, his her, client server, producer consumer, supplier customer, plaintiff defendant, winner
loser, open close, open closed, opening closing, start stop, start end, start finish, begin end, beginning ending,
first last, earliest latest, early late, earlier later, old new, older newer, oldest newest, old young, older
younger, oldest youngest, ancient modern, past future, previous next, past present, morning evening, day night,
sunrise sunset, dawn dusk, am pm, noon midnight, winter summer, spring autumn, spring fall, today tomorrow, today
yesterday, tomorrow yesterday, weekday weekend, add remove, add delete, add subtract, addition subtraction, plus
minus, multiply divide, multiplication division, insert delete, insert remove, create delete, create destroy, build
destroy, construct demolish, make break, install uninstall, enable disable, enabled disabled, activate deactivate,
block unblock, lock unlock, mute unmute, pin unpin, freeze unfreeze, freeze thaw, freeze boil, freezing boiling,
melt freeze, subscribe unsubscribe, follow unfollow, join leave, join quit, enter exit, enter leave, entry exit,
arrive depart, arrival departure, arriving departing, arrive leave, come go, login logout, signin signout, register
unregister, enroll withdraw, deposit withdraw, deposit withdrawal, credit debit, income expense, income expenses,
revenue cost, profit loss, gain lose, gain loss, asset liability, assets liabilities, surplus deficit, bull bear,
bullish bearish, long short, save spend, save delete, save waste, earn spend, charge refund, charge discharge, pay
receive, payable receivable, tax subsidy, raise lower, raise reduce, increase decrease, increase reduce, rise fall,
rising falling, grow shrink, growth decline, expand contract, expand collapse, expansion contraction, widen narrow,
lengthen shorten, strengthen weaken, accelerate decelerate, inflate deflate, inflation deflation, improve worsen,
upgrade downgrade, promote demote, promotion demotion, hire fire, appoint dismiss, more less, more fewer, most
least, most fewest, many few, much little, maximum minimum, max min, maximise minimise, maximize minimize, high low,
higher lower, highest lowest, tall short, taller shorter, tallest shortest, big small, bigger smaller, biggest
smallest, large small, larger smaller, largest smallest, long brief, longer shorter, longest shortest, wide narrow,
wider narrower, thick thin, thicker thinner, deep shallow, deeper shallower, heavy light, heavier lighter, fat thin,
fast slow, faster slower, fastest slowest, quick slow, quickly slowly, hot cold, hotter colder, hottest coldest,
warm cool, warmer cooler, heat cool, heating cooling, hard soft, hard easy, harder easier, hardest easiest,
difficult easy, simple complex, simple complicated, strong weak, stronger weaker, strongest weakest, loud quiet,
louder quieter, noisy quiet, bright dark, brighter darker, light dark, lighter darker, white black, wet dry, full
empty, fill empty, clean dirty, cheap expensive, cheaper dearer, cheapest dearest, rich poor, richer poorer, richest
poorest, wealthy poor, good bad, better worse, best worst, good evil, positive negative, pro con, pros cons,
advantage disadvantage, advantages disadvantages, benefit drawback, benefits drawbacks, benefits risks, benefit
risk, strength weakness, strengths weaknesses, right wrong, correct incorrect, true false, real fake, genuine fake,
fact fiction, truth lie, honest dishonest, legal illegal, lawful unlawful, allowed forbidden, allow forbid, allow
deny, allow block, permit prohibit, permitted prohibited, accept reject, accept decline, accepted rejected, approve
reject, approve deny, approved denied, agree disagree, confirm cancel, confirm deny, book cancel, schedule cancel,
admit deny, grant revoke, include exclude, including excluding, inclusive exclusive, with without, for against,
support oppose, love hate, like dislike, like hate, friend enemy, ally enemy, attack defend, attack defence, offence
defence, offense defense, offensive defensive, war peace, win lose, won lost, victory defeat, succeed fail, success
failure, pass fail, passed failed, alive dead, live die, living dead, birth death, born died, born dead, healthy
sick, healthy ill, healthy unhealthy, safe dangerous, safe unsafe, safer riskier, danger safety, harmful harmless,
helpful harmful, useful useless, careful careless, happy sad, happy unhappy, glad sad, laugh cry, optimist
pessimist, optimistic pessimistic, brave cowardly, kind cruel, polite rude, friendly hostile, calm angry, awake
asleep, wake sleep, find lose, found lost, show hide, visible invisible, visible hidden, public private, shared
private, local remote, local global, national international, domestic foreign, domestic international, native
foreign, urban rural, city countryside, north south, northern southern, east west, eastern western, northeast
southwest, northwest southeast, land sea, sky ground, ceiling floor, heaven hell, vertical horizontal, row column,
rows columns, width height, length width, ascending descending, ascend descend, ascent descent, asc desc, prefix
suffix, head tail, odd even, prime composite, integer fraction, numerator denominator, sum difference, product
quotient, singular plural, single multiple, single married, married divorced, alone together, individual group, same
different, similar different, equal unequal, identical different, always never, often rarely, frequently rarely,
usually rarely, sometimes never, everyone nobody, everybody nobody, everything nothing, all none, all some, any
every, each all, both neither, either neither, some none, everywhere nowhere, partly fully, partial full, partially
completely, half whole, part whole, temporary permanent, temporarily permanently, constant variable, static dynamic,
fixed variable, mutable immutable, synchronous asynchronous, sync async, serial parallel, sequential parallel,
online offline, connected disconnected, connect disconnect, attach detach, mount unmount, compress decompress, zip
unzip, pack unpack, encrypt decrypt, encode decode, encryption decryption, serialize deserialize, compile decompile,
read write, reader writer, get set, load unload, load store, fetch push, commit revert, merge split, join split,
combine separate, undo redo, enqueue dequeue, push pop, lossy lossless, manual automatic, manually automatically,
required optional, mandatory optional, compulsory voluntary, active inactive, active passive, actively passively,
awake sleeping, busy idle, occupied vacant, available unavailable, present absent, presence absence, default custom,
formal informal, official unofficial, professional amateur, expert novice, beginner advanced, beginner expert,
junior senior, major minor, majority minority, primary secondary, main side, superior inferior, leader follower,
boss subordinate, master slave, guilty innocent, guilt innocence, acquit convict, prosecution defence, theory
practice, theoretical practical, abstract concrete, objective subjective, quantitative qualitative, explicit
implicit, direct indirect, directly indirectly, literal figurative, question answer, ask answer, problem solution,
cause effect, cause result, causes effects, causes symptoms, cause cure, symptoms treatment, prevent cause,
prevention treatment, disease cure, poison antidote, acid base, acidic alkaline, acidic basic, solid liquid, liquid
gas, organic inorganic, natural artificial, natural synthetic, raw cooked, fresh stale, fresh rotten, fresh frozen,
sweet sour, sweet bitter, sweet savory, sweet savoury, spicy mild, vegetarian meat, carnivore herbivore, predator
prey, wild tame, wild domestic, mammal reptile, plant animal, hunter prey, introvert extrovert, conservative
liberal, left-wing right-wing, democrat republican, capitalism socialism, capitalism communism, theist atheist,
religious secular, monarchy republic, democracy dictatorship, civilian military, husband bride, groom bride,
bachelor spinster, sunny rainy, sunny cloudy, clear cloudy, flood drought, exothermic endothermic, systolic
diastolic, hyper hypo, hypertension hypotension, macro micro, mitosis meiosis, artery vein, arteries veins, concave
convex, clockwise anticlockwise, clockwise counterclockwise, forward reverse, front rear, entrance exit, push-up
pull-up, stereo mono, analog digital, analogue digital, wired wireless, hardware software, frontend backend,
front-end back-end, supply demand, pre post, anterior posterior, dorsal ventral, credit cash, weekdays weekends,
breakfast dinner, lunch dinner, breakfast lunch, inhale exhale, swallow spit, float sink, stand sit, walk run, throw
catch, tighten loosen, tight loose, sharp blunt, sharp dull, smooth rough, straight curved, straight bent, knot
unknot, tie untie, cover uncover, wrap unwrap, dress undress, plug unplug, fasten unfasten, fold unfold, roll
unroll, load empty, charge drain, bury dig, plant harvest, sow reap, remember forget, learn forget, learn teach,
know ignore, praise criticise, praise criticize, praise blame, reward punish, reward punishment, encourage
discourage, persuade dissuade, attract repel, invite expel, welcome expel, arrest release, capture release, hold
release, keep discard, keep change, maintain change, continue stop, continue quit, resume pause, play pause, show
conceal, reveal hide, reveal conceal, appear disappear, exist vanish, ascend sink, gain weight-loss, gather scatter,
collect distribute, centralised decentralised, centralized decentralized, order disorder, order chaos, war truce,
import ban, an aus, ein aus, auf zu, oben unten, links rechts, vor nach, mit ohne, groß klein, größte kleinste, gut schlecht,
hoch niedrig, lang kurz, alt neu, alt jung, schnell langsam, heiß kalt, warm kalt, kaufen verkaufen, öffnen
schließen, anfang ende, mehr weniger, reich arm, leicht schwer, hell dunkel, früh spät, immer nie, tag nacht, norden
süden, osten westen, einschalten ausschalten, anmelden abmelden, avant après, avec sans, grand petit, bon mauvais,
haut bas, long court, vieux nouveau, vieux jeune, rapide lent, chaud froid, acheter vendre, ouvrir fermer, début
fin, plus moins, riche pauvre, clair sombre, tôt tard, toujours jamais, jour nuit, nord sud, est ouest, allumer
éteindre, gauche droite, antes después, con sin, grande pequeño, bueno malo, alto bajo, largo corto, viejo nuevo,
viejo joven, rápido lento, caliente frío, comprar vender, abrir cerrar, inicio fin, más menos, mejor peor, rico
pobre, claro oscuro, temprano tarde, siempre nunca, día noche, norte sur, este oeste, encender apagar, izquierda
derecha, subir bajar
""".replace("\n", " ").split(",")
    )
)
