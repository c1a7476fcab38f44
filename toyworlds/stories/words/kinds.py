"""Kinds of characters. Animals: `kind: way of moving, home, food; home and food by the custom of the dialect`."""

ANIMALS = """
rabbit: hop, burrow, carrots; hutch, clover
fox: run, den, berries; thicket, plums
bear: plod, cave, honey; hollow, salmon
mouse: scurry, hole, cheese; basket, barley
squirrel: scamper, treetop, acorns; nest, hazelnuts
hedgehog: shuffle, hedge, apples; haystack, beetles
owl: fly, hollow, moths; steeple, crickets
duck: waddle, nest, bread; boathouse, snails
cat: pad, cottage, milk; loft, cream
dog: run, kennel, bones; porch, biscuits
puppy: bound, kennel, sausages; basket, crusts
kitten: pad, basket, fish; loft, butter
pig: trot, sty, turnips; barn, chestnuts
lamb: skip, fold, grass; meadow, thyme
goat: trot, shed, thistles; crag, parsley
pony: trot, stable, hay; paddock, oats
donkey: plod, stable, straw; paddock, barley
calf: plod, barn, grass; shippon, clover
chick: strut, coop, corn; rafters, peas
goose: waddle, pond, weeds; island, lettuce
turtle: plod, pond, lettuce; ditch, mushrooms
frog: hop, pond, flies; well, gnats
toad: hop, ditch, slugs; cellar, worms
beaver: waddle, lodge, bark; dam, willow
otter: slide, riverbank, fish; jetty, crabs
badger: shuffle, sett, worms; quarry, roots
mole: shuffle, tunnel, worms; mound, bulbs
deer: leap, glade, leaves; bracken, moss
wolf: run, den, stew; ravine, mutton
bat: fly, cave, moths; belfry, gnats
crow: fly, nest, corn; chimney, cherries
robin: fly, nest, worms; teapot, raisins
sparrow: fly, nest, seeds; gutter, crumbs
parrot: fly, perch, nuts; palm, mangoes
penguin: waddle, iceberg, fish; shore, shrimp
seal: slide, beach, fish; reef, squid
monkey: swing, treetop, bananas; vine, figs
elephant: plod, jungle, peanuts; valley, melons
lion: stride, savanna, meat; palace, stew
tiger: stride, jungle, meat; temple, dumplings
zebra: gallop, savanna, grass; corral, reeds
giraffe: stride, savanna, leaves; orchard, pears
camel: plod, desert, dates; tent, thorns
kangaroo: hop, outback, grass; gully, wheat
koala: climb, treetop, leaves; hammock, mint
panda: plod, grove, bamboo; pagoda, rice
raccoon: scamper, attic, corn; barrel, pies
skunk: shuffle, log, grubs; woodpile, eggs
chipmunk: scamper, log, seeds; stump, almonds
hamster: scurry, cage, seeds; drawer, oats
swan: glide, lake, weeds; canal, rushes
pelican: fly, harbor, fish; pier, eels
snail: creep, flowerpot, cabbage; wall, nettles
beetle: creep, rosebush, aphids; bean, pollen
bee: fly, hive, nectar; skep, syrup
butterfly: fly, garden, nectar; curtain, dew
spider: creep, web, flies; keyhole, mosquitoes
ant: march, anthill, crumbs; teacup, sugar
crab: scuttle, beach, seaweed; bucket, clams
dragon: stride, mountain, pepper; tower, embers
unicorn: gallop, forest, blossoms; rainbow, starlight
"""

ADULTS = """
baker: bread; gardener: roses; farmer: potatoes; teacher: lessons; tailor: jackets; carpenter: tables
blacksmith: horseshoes; angler: mackerel; shepherd: wool; miller: flour; cobbler: shoes; painter: portraits
librarian: stories; sailor: anchors; weaver: cloth; potter: pots; beekeeper: wax; clockmaker: clocks
musician: songs; doctor: medicine; nurse: bandages; grocer: vegetables; butcher: sausages; florist: bouquets
jeweler: rings; plumber: pipes; mason: bricks; hunter: furs; toymaker: dolls; cook: soup; barber: combs
captain: ferries; courier: letters; lamplighter: lamps; woodcutter: firewood; basketmaker: baskets; hatter: hats
glassblower: bottles; printer: newspapers; beachcomber: shells; peddler: buttons; cheesemaker: yogurt; chemist: pills
juggler: tricks; magician: spells; puppeteer: puppets; storyteller: tales; locksmith: locks; saddler: saddles
"""
"""Grown-ups outside the family and what each deals in."""

MOVES = """
walk: walked; went; hurried; strolled; skipped; wandered; marched
hop: hopped; bounced; hurried; went
run: ran; trotted; hurried; raced; went
plod: plodded; lumbered; ambled; trudged; went
scurry: scurried; scuttled; darted; went
scamper: scampered; dashed; darted; went
shuffle: shuffled; pottered; trundled; went
fly: flew; flitted; fluttered; swooped; went
waddle: waddled; paddled; shuffled; went
pad: padded; crept; strolled; went
bound: bounded; raced; tumbled; went
trot: trotted; ambled; hurried; went
skip: skipped; pranced; frisked; went
strut: strutted; pattered; hurried; went
slide: slid; wriggled; paddled; went
leap: leaped; bounded; sprang; went
swing: swung; scrambled; climbed; went
stride: strode; prowled; stalked; went
gallop: galloped; cantered; trotted; went
climb: climbed; clambered; crept; went
glide: glided; drifted; sailed; went
creep: crept; crawled; inched; went
march: marched; scurried; crawled; went
scuttle: scuttled; sidled; hurried; went
"""
"""Past forms of moving, by way of moving."""

LIMBS = {
    "wing": "duck chick goose swan penguin bee butterfly beetle",
    "hoof": "pig lamb goat pony donkey calf deer zebra giraffe camel unicorn",
    "hand": "frog toad turtle snail spider ant",
    "trunk": "elephant",
    "claw": "crab dragon",
    "flipper": "seal",
}
"""What animals take things with; those that fly have wings, all others paws."""
