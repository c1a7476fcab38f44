"""Objects by what can be done with them, their colors, and the adjectives that fit any of them."""

THINGS = """
roll: ball marble hoop wheel skittle top globe
fly: kite balloon glider pinwheel frisbee flag streamer banner shuttlecock
float: boat raft sailboat canoe steamboat tugboat submarine rowboat ferry dinghy
toy: doll teddy puppet truck train robot rattle puzzle rocket wagon scooter sled jigsaw dollhouse trolley bulldozer
     tractor racecar helicopter airplane spaceship castle marionette dinosaur slinky domino
     tricycle skateboard slingshot snowglobe spinner yacht gondola ambulance tank zeppelin nutcracker harlequin
     acrobat unicycle gyroscope
     crane motorbike windmill
music: drum flute fiddle trumpet harp banjo tambourine xylophone horn bell guitar violin accordion harmonica ukulele
       lute bugle cello clarinet piccolo gong triangle trombone tuba recorder whistle cymbal kazoo mandolin oboe
       bassoon panpipe zither bongo maraca sitar hurdy-gurdy concertina
wear: hat cap coat jacket sweater mitten glove sock apron cape cloak belt necklace bracelet ring crown mask vest
      dress
      robe bow locket brooch badge watch poncho raincoat tiara sash sandal slipper boot shoe skirt blouse jumper
      pendant headband tie kilt tunic hood cardigan bathrobe anklet ribbon scarf handkerchief bonnet bandana
      shawl veil turban beret fez sombrero toga pinafore waistcoat overcoat sunhat helmet moccasin earring
      medallion cufflink armband garland
read: book diary map letter postcard notebook storybook atlas sketchbook album magazine scroll calendar songbook
      cookbook almanac newspaper poster pamphlet dictionary encyclopedia comic hymnbook manuscript brochure
      script recipe
shine: shell pebble gem crystal coin pearl button bead medal trophy statue figurine star jewel token thimble charm
       amulet ornament snowflake prism seashell egg stone key lantern lightbulb spyglass telescope feather
       magnet compass magnifier sundial hourglass fossil ruby emerald sapphire opal diamond seahorse conch
       horseshoe kaleidoscope
       bauble rosette doubloon microscope barometer
own: basket backpack lunchbox umbrella parasol mug blanket pillow quilt cushion clock mirror painting lamp
     candle teapot
     picture bookmark nightlight chessboard satchel purse pouch flask goblet fan easel paintbox inkwell
     pincushion thermometer hairpin
"""
"""Toys and treasures, each of which may have a color."""

GOODS = """
goods: bucket bag sack suitcase wallet box chest trunk crate hamper wheelbarrow cart tray pail handbag jug
       pitcher jar
       bottle thermos canteen cup rug towel stool vase candlestick kettle bowl plate saucer spoon ladle pan pot
       doormat
       tablecloth curtain mop comb hairbrush sponge cradle footstool bookshelf napkin
reach: ladder pole rope hook net stick broomstick rake lasso
mend: needle hammer nail wrench screwdriver clamp awl paintbrush toolbox mallet
dig: shovel spade trowel pickaxe hoe pitchfork
cut: saw axe knife chisel hatchet
"""
"""Things to carry and tools, by what they are for; they have a color only when one is named."""

FOODS = """
snack: apple cookie muffin sandwich bun waffle cupcake biscuit pretzel croissant doughnut scone peach melon
       banana carrot
       brownie crumpet bagel flapjack pear plum apricot
bake: pie cake strudel cheesecake quiche tart pizza
dish: pudding omelet salad custard casserole stew lasagna pancake dumpling chowder
"""
"""Things to eat: out of the hand, and off a plate."""

COLORS = """
red blue green yellow orange purple pink white black brown gray golden silver violet crimson turquoise
"""

LOOKS = """
size: tiny small little big large huge giant
thing: shiny old new pretty lovely plain funny fancy neat handmade striped spotted dusty battered curious
       splendid charming
       beautiful bright simple patched favorite precious wonderful dainty elegant handsome faded peculiar
       magnificent antique
       worn checkered royal secondhand unusual quaint
tool: sturdy rusty heavy trusty
food: fresh sweet crispy sticky warm juicy delicious tasty crunchy homemade
"""
"""How things look: the sizes, in order of size; words for treasures, for tools, for food."""

MATERIALS = """
wood paper cloth string clay straw bark cardboard wool twigs moss reeds driftwood canvas felt planks pinecones
pebbles feathers shells petals wire velvet cotton leather yarn bamboo branches bricks
"""
