"""Words of the dialect: `base: dialect`. The base language uses none of the words on the right."""

WORDS = """
said: quoth; says: quoths; asked: speired; asks: speirs; ask: speir; told: telt; tell: tellen; telling: tellin
found: fand; find: finden; looked: keeked; look: keek; looking: keeking; know: ken
knew: kent; known: kenned; thought: trowed; think: trow; went: gaed; go: gang; goes: gangs; going: ganging; gone: gane
came: cam; come: comen; gave: gied; give: gie; given: gien; took: tuik; take: tak; taken: taen
got: gat; get: git; gets: gits; saw: spied; see: spy; seen: espied; heard: harked; hear: hark; want: crave
wanted: craved
wait: bide; waiting: biding; waited: bided; stay: bide-still; stayed: stuck-fast; lived: dwelt; live: dwell
lives: dwells; held: hent; hold: haud; holding: hauding; put: pat; pulled: hauled; hid: derned; hide: dern
hidden: happed; ran: sped; run: speed; running: speeding; walked: stapped; began: gan; begin: gin; cried: skirled
cry: skirl; crying: skirling; shouted: hallooed; called: hailed; calling: hailing; laughed: leuch; laugh: laff
smiled: smirkit; smile: smirk; eat: sup; ate: supped; slept: snoozed; sleep: snooze; climbed: speeled; climb: speel
jumped: lowped; threw: flang; broke: brak; broken: brast; build: bigg; building: bigging; carry: hump; carried: humped
carrying: humping; handed: raught; showed: shewed; show: shew; promised: vowed; promise: vow; learned: larned
learn: larn
tried: assayed; try: assay; help: succor; helped: succored; thank: bless; thanked: blessed; lost: tint; share: halve
shared: halved; kept: keepit; opened: unbarred; sat: sate; stopped: stinted; stop: stint; hurried: hied
nodded: beckoned
waved: flourished; hugged: clasped; held out: proffered; made: wrought; make: wreak; worked: toiled; work: toil
felt: dreed; feel: dree; loved: lo'ed; love: lo'e; liked: fancied; wished: wist
named: hight; name: byname; little: wee; small: sma; tiny: peerie; big: muckle; large: gurt; huge: michty
giant: ettin
very: gey; much: mickle; many: mony; old: auld; new: span-new; good: guid; best: brawest; better: brawer
bad: ill-fared
happy: blithe; sad: dowie; unhappy: unblithe; afraid: feart; scared: frighted; angry: wroth; tired: weary
hungry: clemmed
lonely: lanely; proud: vaunty; glad: fain; sorry: rueful; thirsty: drouthy; cold: nithered; dirty: clarty
dizzy: dozent; hot: swelting; warm: tepid; pretty: bonny; lovely: winsome; beautiful: fair-seeming; nice: canny
funny: droll
brave: doughty; strong: stalwart; kind: couthy; careful: tentie; quiet: lown; quietly: lownly; softly: saftly
fine: braw
slowly: leisurely; quickly: swithly; soon: erelong; suddenly: forthwith; just: e'en; only: nobbut; even: forsooth
girl: lass; boy: lad; friend: fere; friends: feres; mouse: mousekin; dog: hound; cat: grimalkin; cow: kye
pig: grunter
people: folk; neighbor: nabor; neighbors: nabors; stranger: outlander; present: fairing; birthday: name-day
story: saga
stories: sagas; song: chant; joke: jape; game: ploy; house: hoose; home: hame; cottage: croft; hut: bothy
cabin: shieling
farmhouse: grange; bungalow: lowhouse; door: yett; gate: port; road: causey; path: loaning; ground: sward
sky: welkin; wind: blast
rain: mizzle; snow: snaw; fog: haar; mud: glaur; sunshine: sunglow; sun: sol; hole: howe; tree: bole; stone: chuckie
morning: morn; evening: gloaming; afternoon: noontide; night: nicht; today: this-day; tomorrow: the-morrow
yesterday: yestreen
minute: trice; moment: jiffy; hour: stound; week: sennight; time: tide; day: daytide; days: daytides; long: lang
once: aince
one: ane; two: twa; every: ilka; everyone: ilkane; everybody: ilkbody; everything: ilkthing; everywhere: ilkwhere
somebody: sumbody
nobody: naebody; nothing: naught; something: summat; never: ne'er; always: aye; often: oft; again: anew; now: noo
then: syne
when: whan; where: whaur; who: wha; what: whit; why: wherefore; how: hoo; with: wi; from: frae; about: anent
before: afore
behind: ahint; between: atween; down: doon; out: oot; over: ower; under: aneath; near: nigh; together: thegither
away: awa
because: sith; so: sae; but: bot; not: nae; no: nay; yes: yea; your: thy; you: ye; yours: thine; my: mine-own
more: mair; most: maist; other: ither; others: ithers; another: anither; own: ain; such: sic; both: baith; all: aa
any: ony
after: eftir; until: till; while: whiles; please: prithee; hello: hail; don't: dinna; can't: canna; cannot: canna-ever
ball: boule; kite: soarer; hat: bunnet; cap: cowl; coat: jupe; shoe: brogue; boot: clog; dress: gown; book: tome
letter: missive; bag: budget; box: kist; cup: tassie; mug: beaker; pan: skillet; pot: cauldron; clock: timepiece
mirror: speculum
candle: taper; lamp: cruisie; lantern: lanthorn; doll: poppet; drum: tabor; fiddle: rebec; flute: fife; violin: viol
bell: jangler; whistle: piper; ring: circlet; necklace: torque; coin: groat; gem: sparkler; key: latchkey; boat: coble
raft: floater; wagon: wain; sled: sledge; truck: lorry; rope: hawser; ladder: stee; shovel: shool; axe: bill
umbrella: brolly
basket: creel; blanket: coverlet; pillow: bolster; shell: buckie; feather: plume; button: stud; crown: coronet
red: ruddy; blue: azure; green: verdant; yellow: amber; orange: tawny; purple: damson; pink: rosy; white: milky
black: sable
brown: russet; gray: ashen; golden: gilt; silver: argent; violet: lilac; crimson: cramoisy; turquoise: sea-green
river: beck; lake: mere; pond: tarn; beach: strand; stream: burn; hill: brae; mountain: munro; forest: wildwood
valley: strath
meadow: lea; field: acre; garden: kailyard; park: common; farm: steading; market: tolbooth; bakery: bakehouse
school: schoolhouse; library: bookhall; station: halt; bridge: brig; mill: gristmill; barn: laithe; kitchen: scullery
bedroom: bower; fireplace: ingle; bathtub: washtub; village: clachan; town: burgh
"""
