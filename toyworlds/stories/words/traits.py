"""What a hero is like, and a line that shows it; feelings; times; small tables of the world's common facts."""

TRAITS = """
curious: asked questions about everything; brave: was never afraid to try; shy: spoke in a very soft voice
kind: always shared the last crumb; clever: could solve any riddle; cheerful: whistled from morning to night
playful: turned every chore into a game; gentle: stepped around every beetle; lively: could not sit still for a minute
quiet: liked to listen more than talk; helpful: carried bags for the neighbors; honest: never told a fib
patient: could wait for hours without a grumble; friendly: said hello to everyone
thoughtful: remembered every birthday
careful: looked twice before every step; stubborn: never gave up; daring: climbed higher than anyone else
dreamy: saw castles in every cloud; silly: wore odd socks on purpose; polite: always said please and thank you
generous: gave away half of every lunch; loyal: stood by every friend; merry: laughed at the smallest things
nimble: could balance on the thinnest fence; tidy: kept every toy in its place; messy: left muddy prints everywhere
sleepy: yawned at breakfast and again at lunch; hungry: thought about lunch all morning
bold: marched straight up to strangers
bashful: hid behind doors when guests came; bouncy: jumped over every puddle; bright: learned new songs in a minute
busy: had a plan for every hour; calm: never fussed about anything; caring: looked after every sick sparrow
chatty: talked to trees when nobody else was there; clumsy: tripped over nothing at all
cuddly: gave the best hugs in town
determined: tried again and again; eager: was always first in line; energetic: raced up every hill
fearless: slept without a lamp; fidgety: wriggled on every chair; forgetful: mixed up Tuesdays and Thursdays
funny: made even the grumpy ones giggle; fussy: ate only the middle of the toast; giggly: laughed until it hurt
graceful: danced across the kitchen floor; grumpy: frowned at the rain; hardworking: finished every job
humble: never boasted; imaginative: invented new games each week; impatient: tapped on tables when things were slow
inventive: made machines from spoons and string; jolly: hummed funny tunes; joyful: skipped all the way to school
lazy: napped in every sunny corner; lonely: wished for someone to play with; lucky: found a coin almost every week
mischievous: hid spoons in strange places; modest: blushed at every kind word; musical: drummed on pots and pans
mysterious: kept a book of secrets; neat: folded every scarf twice; nervous: jumped at every creak
noisy: sang louder than the rooster; obedient: came home at the first call; observant: noticed every tiny thing
peaceful: never joined in a quarrel; picky: smelled the soup before tasting it; plucky: bounced back from every bump
proud: stood very straight; quick: was always the first to arrive; restless: woke up before the sun
rowdy: stomped up and down the stairs; scruffy: had leaves in odd places; sensible: packed a raincoat just in case
serious: hardly ever giggled; skillful: could tie eleven kinds of knots; slow: stopped to look at every flower
sly: won every game of hide and seek; smart: knew the names of all the stars; spirited: galloped about on a broom
steady: never dropped a cup; sunny: smiled at every visitor; sweet: left little presents on doorsteps
talkative: told long stories at supper; tenderhearted: cried at sad songs; timid: peeked around every corner
trusting: believed every tale; wild: rolled in every heap of leaves; wise: gave good advice
witty: knew a hundred jokes
young: was still learning to count; zany: walked backward on Sundays; adventurous: drew maps of every path
artistic: painted on every scrap of paper; bookish: read under the blanket at night; bighearted: welcomed every stray
boastful: liked to brag a little; cautious: tested each step with a stick; charming: made friends in a moment
dependable: was never late; dizzy: spun around until the world wobbled; earnest: kept every promise
absentminded: wore slippers to school; ambitious: wanted to be first at everything; athletic: ran up every staircase
bossy: told even the pigeons what to do; carefree: never thought about tomorrow
dramatic: fainted when the soup was late
fanciful: believed in dragons; frugal: saved every piece of string; gallant: opened doors for everyone
gifted: played five instruments; handy: fixed every leaking tap; heroic: rescued kittens from trees
innocent: had never told a lie; keen: read every sign on the road; logical: counted everything twice
moody: laughed one minute and cried the next; nosy: peeped into every basket; optimistic: expected good news every day
outspoken: said exactly what came to mind; persistent: knocked until somebody opened
practical: kept nails in every pocket
reckless: rode downhill without brakes; reliable: always came back on time; romantic: wrote poems about the moon
sensitive: felt sorry for fallen leaves; solemn: bowed before every meal; studious: did sums for fun
superstitious: never walked under a ladder; tireless: danced until midnight; unlucky: always got the wobbly chair
vain: combed and combed in front of the mirror; watchful: heard every mouse; whimsical: gave names to all the spoons
"""

MOODS = "calm happy sad scared angry tired hungry proud worried surprised lonely excited sorry thankful jealous hopeful"
"""The moods of the state, in order."""

AIMS = "none find reach get give mend help learn win make befriend deliver hide meet"
"""What a character is after, in order."""

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"
TIMES = "morning afternoon evening night"

NEEDS = """
tired: bedroom hammock; hungry: kitchen hayloft; thirsty: well spring; cold: fireplace stove
dirty: bathtub spring; hot: shade well; lonely: doorstep fireplace; dizzy: armchair shade
"""
"""Where one goes in need: by the custom of the land, by that of the dialect."""

GEAR = """
rain: umbrella hood; snow: muffler tippet; wind: scarf shawl; fog: lantern bell; sunshine: parasol veil
mud: apron smock
"""
"""What one takes along in each weather: by the custom of the land, by that of the dialect."""

FEARS = """
the dark; deep water; thunder; loud noises; high places; big dogs; spiders; shadows; strangers; the wind; tall stairs
lightning; bees; getting lost; ghosts; geese; clowns; dentists; heights; sharks; crowds; echoes; locked doors
quicksand; elevators; fireworks; rats; snowstorms; cobwebs; narrow caves; the attic; rams; whirlpools; thick woods
the cellar; masks; tunnels; bats; snakes; deep snow; old bridges; owls; steep paths
"""

SKILLS = """
swim:swimming; whistle:whistling; juggle:juggling; skate:skating; draw:drawing a horse; tie:tying a bow; read:reading
bake:baking bread; row:rowing a boat; dance:dancing the polka; play:playing the piano; climb:climbing a rope
count:counting backward; ride:riding a bicycle; spin:spinning a top; catch:catching a ball; jump:jumping rope
sew:sewing
paint:painting a portrait; sing:singing high notes; walk:walking on stilts; dive:diving; knit:knitting; ski:skiing
write:writing neatly; spell:spelling long words; fold:folding paper cranes; blow:blowing bubbles; cook:cooking soup
play:playing chess; drum:drumming; yodel:yodeling; row:rowing upstream; hit:hitting a target; pitch:pitching a tent
make:making pancakes; shuffle:shuffling cards; roll:rolling dough; ring:ringing the big bell; braid:braiding hair
bow:bowing gracefully
mimic:mimicking birds; polish:polishing silver; weave:weaving baskets; light:lighting a campfire; fence:fencing
box:boxing
stack:stacking cups; plant:planting a tree; carve:carving a duck; milk:milking a cow; steer:steering a raft
tell:telling jokes
"""

CONTESTS = """
tall: taller tallest; strong: stronger strongest; fast: faster fastest; old: older oldest; loud: louder loudest
quick: quicker quickest; light: lighter lightest; heavy: heavier heaviest; brave: braver bravest
clever: cleverer cleverest
nimble: nimbler nimblest; quiet: quieter quietest
"""

PROJECTS = """
boat; treehouse; birdhouse; go-kart; swing; bridge; raft; windmill; doghouse; scarecrow; snowman; kite; castle; stage
sled; throne; rocket; wagon; bench; beehive; lighthouse; bookcase; puppet theater; carousel; dragon; waterwheel
rabbit hutch; see-saw; wind chime; weathervane; telescope; igloo; wigwam; xylophone; trapdoor; dam; greenhouse
mailbox; rocking horse
pinball machine; volcano; periscope; seesaw; totem pole; zip line; drawbridge; hot-air balloon; submarine; catapult
merry-go-round; sundial
"""
