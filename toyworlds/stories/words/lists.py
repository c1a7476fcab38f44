"""Words and phrases that templates draw from, by list; every entry fits wherever its list is used."""

LISTS = """
long_ago: long ago; many years ago; once upon a time; not so long ago; in the days of castles and kings
          when your grandmother was a girl; before there were trains; a hundred winters ago; one golden summer
          back when wishes still came true; in a time of giants; many moons ago
where_far: in a faraway land; beyond the misty mountains; behind the seven hills; at the end of a winding lane
           on the edge of a great desert; in a town with crooked chimneys; where the two rivers meet
           under a roof of red tiles; in a village by the sea; on a quiet street with chestnut trees
           deep in the countryside
           between two steep hillsides; on an island full of goats; in a town famous for its cheese
so_it_was: and nobody minded; and people smiled about it; which was not always easy; even on rainy days
           even in winter
           and that was that; as long as anyone could remember; much to the delight of the neighbors; rain or shine
           and was well liked for it; which made life interesting; year in and year out
people_said: people said that; it was well known that; the neighbors liked to say that; everybody agreed that
             the postman told everyone that; anyone could tell you that; it must be said that
cozy: cozy; tiny; small; crooked; snug; tidy; yellow; wooden; cheerful; narrow; whitewashed; thatched; lopsided; sunny
      pretty; round; rickety; mossy; quiet; warm; plain; old; ancient; spotless; drafty; charming; homely; weathered
house: cottage; house; cabin; hut; home; bungalow; farmhouse; lodge; villa; shack
house_with: a blue door; a stove that smoked; squeaky stairs; a garden full of weeds; a weathercock on top
            round windows
            a swing out in front; a nest under the roof; three chimneys; a crooked fence; ivy up to the gutters
            a doorbell that did not work; geraniums in every window; shutters that rattled
            a tin roof; a bell rope; a parrot on the balcony; lace curtains; a hammock in the yard
            a cellar full of jam
            a clock that was always late; an apple tree in front; gnomes by the gate; a leaking gutter
            a purple chimney
window: window; doorstep; roof; attic window; garden gate; upstairs window; back step; gable
often: morning; evening; afternoon; Saturday; other day; week; spring; summer; fine day; holiday
fine: sunny; bright; warm; clear; breezy; cloudy; misty; chilly; windy; mild; gray; hot; cool; golden; glorious; dewy
      pleasant; fresh; crisp; drizzly; balmy; hazy; foggy; frosty; lovely; quiet; crystal-clear; sweltering; blustery
      radiant; cloudless; brisk; muggy; sparkling; rainy; snowy; stormy; humid; wintry; springlike
bright: bright; still; calm; quiet; full of birdsong; smelling of rain; smelling of hay; as clear as glass
        as blue as could be; without a single cloud
sky: the sky was blue; clouds were sailing by; the air smelled of hay; the sun was just up; dew lay on the grass
     the swallows were flying low; a cool breeze was blowing; the whole world seemed to smile
     church bells were ringing
     the puddles were drying; the cherry trees were in bloom; leaves were falling; the first frost glittered
did_together: shared everything; did everything together; played together every day; had never had a quarrel
              knew each other's secrets; made each other laugh; walked to school together; had a secret handshake
              could talk for hours; built dams and dens together; swapped sandwiches at lunch
              finished each other's sentences
treated: polished every day; kept on a shelf; never lent to anyone; had found at the fair
         had bought with pocket money
         showed to every visitor; loved dearly; had won at the fair; had painted without any help; used all the time
giver: a favorite aunt; an old sailor; a kind neighbor; a cousin from the city; a traveling merchant; a great-uncle
       a godmother; the old schoolmaster; a friendly soldier; a cousin in Egypt; a retired captain
       an aunt from Lisbon
       the lady next door; a clever uncle; a pen friend in Peru; somebody at the town hall; a very old cousin
       a bearded fisherman; a lady from the circus; a wandering musician; an aunt who lived abroad; a retired judge
       the old lighthouse keeper; a neighbor from Norway; a generous dentist; a kindly professor; a grateful customer
satchel: knapsack; pocket; rucksack; treasure chest; drawer; cupboard; favorite corner; toy chest; secret nook
breathed: took a deep breath; smiled; hummed a little; felt glad to be there; felt at peace; wanted to stay forever
          stopped to listen; forgot the time; felt very small; grinned from ear to ear; stretched and yawned
while: time; whole day; rest of the day; next hour; best part of the day; following hours
a_while: a while; an hour; a long time; some time; most of the day; two hours; what seemed like ages; half an hour
just_then: just then; at that moment; a little later; in no time; before long; soon after; all of a sudden; by and by
           presently; as luck would have it; a minute later; right at that moment
soon: soon; before long; a little later; after a while; in a minute; shortly after; by and by; not much later
suddenly: suddenly; all of a sudden; all at once; without warning; in the blink of an eye; out of nowhere
          quick as lightning; in that very moment
greeted: waved; was glad of the company; shouted hello; was happy about it; grinned; clapped for joy
         could not be happier
         beamed; danced a little jig; gave a cheer; felt even better
busy_with: humming a tune; watching the ants; whistling; building a tower of stones; reading; drawing in the dust
           talking to a beetle; looking at the clouds; eating plums; making a wreath; tying a knot; counting buttons
           standing on one leg; practicing somersaults; munching a radish; throwing sticks; polishing an old spoon
           juggling pears; writing a postcard; scratching a stick; sorting pebbles; learning a poem
           feeding crumbs to a wren
           plaiting straw; trying to wink; turning somersaults; drawing a treasure map; mending a strap
           licking a lollipop
packed: packed; had packed; carefully wrapped; had remembered to bring; made sure to pack; happily packed
cheek: cheek; nose; face; left cheek; chin
sad: sad; unhappy; gloomy; miserable; downhearted; sorrowful; heartbroken; glum; upset; wretched; forlorn; dejected
     troubled; crestfallen; blue; tearful
     woeful; disappointed; downcast; despondent; hopeless; mournful; distressed
cheered_up: cheered up; felt a little better; was glad; stopped worrying; began to hope; smiled again; felt braver
            dried the last tear; took heart; breathed more easily
moved: hurried; ran; walked; went; rushed; marched; hastened; set off; made their way; tramped; raced
junk: an old boot; a rusty nail; a bent spoon; three buttons; a torn glove; a broken cup; an empty bottle
      a bird's feather
      a soggy newspaper; half a comb; a tin can; an apple core; a single sock; a cracked plate; a dry leaf
      an old umbrella
      a cork; a rubber duck; a wobbly stool; some orange peel; a horseshoe; a snail shell; a moldy crust; two acorns
      a squashed hat; a lump of chalk; a broken ruler; an old ticket; a dented kettle; a worn brush; a dead battery
      some tinfoil
      a deflated balloon; two bottle caps; a bent fork; a dog's bone; a clump of wool; a chipped mug; a doorknob
up_there: high up; out of reach; far above the ground; between two twigs; at the very top; upside down
          well out of reach
          where only birds could go; beyond everyone's reach; swaying in the breeze
tried_reach: jumped up and down; stood on tiptoe; threw pebbles at it; climbed up a little way
             stretched and stretched
             shook the trunk; poked at it with a twig; jumped from a stone; waved both arms; took a running jump
             stood on an upturned crate; swung a long branch
half_hidden: half hidden in the dust; behind a curtain; under a heap of leaves; in the long grass; next to a gatepost
             behind a stack of hay; under an old sheet; by the side of the path; beneath a wobbly bench
stamped: stamped on the ground; burst into tears; turned away; kicked a stone; sulked; growled; howled with rage
         glared; pouted; threw a tantrum; walked off in a huff; went very red
shoes: the ground; a crack in the floor; the clouds; a passing beetle; the grass; a puddle; the tip of a twig
ribbon: golden; velvet; silk; broad; checkered; spotty; satin; homemade; crinkly; lacy
greeted_guest: hugged; welcomed; waved to; ran to meet; gave a hat to; gave lemonade to; bowed to
obstacle: a root; a stone; a step; a loose board; a bucket; a sleeping dog; a low branch; a rope; a hidden rock; a log
          a doorstop; a garden gnome; a flowerpot; a fence post; a stray brick; a milk churn
          a garden hose; a pumpkin; a broom; a stack of plates; a puddle; a hedgehog; a pile of bricks
          a toy soldier; an anvil
          a wheelbarrow; a skateboard; a loose cobblestone
waiting: waiting; playing; reading; sitting on a bench; feeding a sparrow; blowing bubbles; picking berries; whittling
         having lunch; mending a net; daydreaming; peeling an orange; knitting; stacking stones
         sketching a tree; playing solitaire; sharpening pencils; picking cherries; untangling string; sunbathing
         doing a puzzle
         shelling walnuts; polishing apples; yawning; arranging flowers
under_furniture: under the bed; behind the sofa; under the table; behind the curtains; in the closet
                 under the blankets
                 behind the stove; in the laundry basket; behind the piano
tremble: tremble; shiver; shake all over; turn pale; feel cold; get goose bumps; break out in a sweat
trembled: trembled; turned pale; felt cold all over; began to shake; went white as chalk; felt a knot of fear
song: a brave sailor; the moon; a lost king; the sea; three blind mice; a dancing bear; a silly goose; the harvest
      a goblin; two old witches; a mermaid; a giant; a tiny tailor; a sleepy shepherd; the north wind
      a hungry crocodile
      a pirate; a talking teapot; a clumsy knight; an enchanted mill; a flying carpet; a princess; a snowman
      a nightingale
      a leaky bucket; a lazy miller; seven swans; a singing kettle; an invisible cat; a wandering minstrel
      a runaway pancake
      a polar bear; the man in the moon; a haunted wardrobe; a kind troll; an upside-down house; a wishing tree
      a thirsty camel; a wizard; the first snow; a brave tin soldier; a farmer and a turnip; an emperor
      a forgotten garden
      a ghost in the pantry; two rivals; a whale; the four seasons; a lamplighter; a stubborn mule
      the bells of London
      a juggling bear; a hermit; a secret passage; a bald eagle; a gentle giant; an acrobat; the longest night
      a windy Thursday
      a marching band; a sunken treasure; a nosy parrot; a patchwork quilt; an orphan; a comet
carrying: safely tucked away; held with great care; wrapped in a cloth; held tight; safe under one arm
          balanced very carefully; packed in paper; swinging gently; tied up with string
barrier: the bridge was gone; the river had risen; a fallen tree blocked the path; the gate was locked
         thick fog covered everything; a herd of cows stood in the way; the path was deep in mud
         a rockfall blocked the road
         snow had covered the path; the signpost had fallen over; the ferry was not running
         a ditch had filled with water
         thorns had grown across the path; the stepping stones were under water; a cart had lost its load
         a bull was guarding the field; hailstones were coming down; the road had been washed away
         a landslide had happened
         a swarm of bees filled the lane; a wall had collapsed; geese were hissing on the path; the tunnel was flooded
way_across: a row of stones; a hidden path; a narrow plank; a gap in the hedge; an old tunnel; a secret stairway
            a shallow place; a trail that only rabbits used; a rope bridge; a way along the wall
            a track through the ferns
            a shortcut past the chapel
softly: softly; quietly; in a low voice; very gently; almost without a sound; ever so softly; under the breath
trapped: had fallen into a hole; was stuck in the mud; hung in the brambles; was caught in a net
         was stuck under a log
         was sitting on a rock in the rapids; had got wedged between two stones; was stuck in a hollow trunk
         had sunk into the quicksand; was hanging from a thin branch; had slipped into a crevice
trapped_who: who had fallen into a hole; who was stuck in the mud; who hung in the brambles; who was caught in a net
             who was stuck under a log; who had got wedged between two stones; who was stuck in a hollow trunk
             who had slipped into a crevice
measured: measured and sawed; drew a plan; measured everything twice; gathered what was needed; made a small model
          cleared a space; sorted the pieces; sharpened a pencil; rolled up both sleeves
admired: looked at it from all sides; danced around it; grinned with pride; called everyone to see
         hardly dared to touch it
         took a bow; sat down beside it with a sigh
failed: fell over at once; got everything wrong; ended up in a puddle; got all tangled up; made a terrible mess
        landed on the grass; bumped into a post; got dizzy and sat down; forgot what to do halfway through
        lost balance and sat down hard; started well and finished badly; could not even begin
tip: take your time; breathe in, breathe out, and begin; do not think so much; start with the small steps
     keep your back straight
     practice a little each day; close your eyes and listen first; look ahead, not down; never hurry
     do it slowly first
     laugh when it goes wrong; watch how the birds do it; count to three and then go; relax your shoulders
     hum a tune while you do it; rest when you are tired; begin again every morning; ask when you do not understand
     do not listen to those who laugh; trust your own feet; hold your breath and then let go; start where it is easy
stood_apart: stood apart from the others; did not dare to come closer; was drawing circles in the dust
             looked at the ground
             was peeling bark off a stick; sat on an old suitcase; hid behind a signpost
at_door: at the door; at the gate; in the hallway; with a lamp; on the front step; by the window; with open arms
         with a warm towel; in the garden; with a mug of cocoa; under the porch light; in a rocking chair
at_work: with flour up to the elbows; in the middle of ironing; peeling potatoes; washing the dishes
         sweeping the floor
         stirring the soup; darning socks; hanging up the washing; shelling peas; watering the plants
         setting the table
         reading the newspaper; chopping onions; dusting the shelves; feeding the fire; folding sheets
slept: slept soundly; fell asleep at once; dreamed of adventures; slept like a log; snored a little; slept and smiled
       dreamed the whole day over again; was asleep in a minute; slept better than ever; curled up and slept
       drifted off to sleep; dreamed of distant islands
night_scene: the moon shone in; an owl called from far away; the stars twinkled; the crickets sang; all was quiet
             rain tapped on the roof; the wind rustled in the trees; the clock ticked on; fireflies danced outside
             the embers glowed; a nightjar whirred; snow began to fall; a train whistled in the distance
ever_after: stayed friends for good; met every day; often laughed about it; were never lonely again
            told the story for years
            lived happily; had many more adventures; knew that they could count on each other
            swapped stories for hours
            grew old and stayed friends; celebrated that day every year
smiled_end: smiled; was happy; felt that all was well; would never forget that day; could not stop smiling
            had a happy heart
            felt warm inside; thought about it for a long time; was glad; felt as light as a feather; laughed out loud
            was as proud as a peacock; was as happy as a lark; could have hugged the whole world
creature: a dragonfly; a heron; a grasshopper; a squirrel; a fat bumblebee; a green lizard; a cuckoo; a salamander
          a magpie; a weasel; a hare; a stork; a tabby cat; a caterpillar; a blue butterfly; a field mouse; a pheasant
          a woodpecker; a kingfisher; a wren; a tadpole; a moth; a newt; a finch; a thrush; a blackbird; a gecko
          a cricket; a swallow; a jay; a ferret; a vole; a shrew; a stag beetle; a peacock; a turkey; a crane
          a falcon
          an earthworm; an old ram; a ladybird; a mosquito; a wasp; a centipede; a pigeon; a seagull; a raven
          a buzzard
          an eagle; a lynx; a marten; a stoat; a starling; a goldfinch; a nuthatch; a dormouse; a glowworm
          a water strider
          a hornet; a polecat; a mayfly; an otter; a cormorant; a toadstool beetle; a sandpiper; a skylark
          a partridge; a quail
          a chaffinch; a bullfinch; a nightingale; a puffin; a pelican; a barn owl; a hawk; a tortoise; a chameleon
          a hermit crab
          a silverfish; a daddy longlegs; a firefly; a cicada; a slug; a leech; a ladybug; a mongoose; an ibis
          a flamingo
creature_doing: sitting very still; hurrying by; looking for lunch; cleaning itself; basking in the sun; yawning
                hiding behind a leaf; turning in circles; watching everything; taking a bath in a puddle
                chewing something
                resting in the shade; building a nest; showing off; chasing its own shadow; nibbling a stalk
                quarreling
                drinking dew; stretching; keeping a lookout; sunning itself; hunting for crumbs; dozing
                pecking at a seed
                balancing on one leg; eyeing a berry; scratching its ear; puffing itself up; creeping along
                taking off; licking its feet
                rolling in the dust; carrying a twig; peeping out of a crack; humming to itself; crossing the path
                enjoying the breeze
scene-water: the water glittered in the sun; little waves lapped at the shore; ducks bobbed up and down
             reeds swayed gently
             a fish jumped with a splash; dragonflies skimmed the surface; the water was as smooth as a mirror
             gulls screamed overhead; a heron stood on one leg; lily pads drifted by; foam danced on the waves
             pebbles shone under the water; frogs croaked in the rushes; willows trailed their branches
             mist rose slowly
scene-wood: the leaves whispered; sunlight fell in golden patches; it smelled of moss; a woodpecker hammered away
            ferns grew as tall as a pony; mushrooms stood in a ring; a cuckoo called; pine needles covered the ground
            branches creaked; shadows danced on the bark; squirrels chased each other; cobwebs glistened
            roots twisted like snakes
            the air was cool and green; blackberries ripened; toadstools glowed red
scene-hill: the wind whistled; you could see for miles; the clouds seemed close enough to touch
            an eagle circled overhead
            the grass bent in the breeze; sheep dotted the slopes; the rooftops looked like toys
            stones rolled underfoot
            wild thyme scented the air; the echo answered every sound; thistles nodded; hawks hovered; heather bloomed
            boulders lay about like sleeping giants
scene-field: bees hummed in the clover; poppies glowed red; butterflies fluttered about; the grass tickled
             larks sang high above
             the wheat rustled; it smelled of fresh hay; daisies covered the ground; crickets chirped
             a scarecrow waved
             sunflowers turned their heads; the roses were in bloom; children were flying kites; swings squeaked
             apple blossoms drifted down; ladybirds climbed the stalks; buttercups shone like gold
             a fountain splashed
scene-village: bells were ringing; carts rattled over the cobbles; pigeons strutted about; it smelled of cinnamon
               merchants called out their prices; flags fluttered; somebody was playing an organ; windows sparkled
               a dog slept in the middle of the road; children played hopscotch; lanterns swung in the breeze
               wheels creaked
               the clock struck; everyone was in a hurry; two old men were arguing about chess
               barrels were being unloaded
scene-house: dust danced in the light; the floorboards creaked; it smelled of old wood; a clock ticked
             spiders sat in their webs
             a moth fluttered against the glass; everything was very quiet; sunbeams fell through the cracks
             a mouse rustled
             the rafters groaned; old coats hung in a row; jars stood in neat lines; straw covered the floor
nook-water: under a flat stone; behind an old boat; among the reeds; between two rocks; under the jetty
            beside a rotten post
            beneath a tangle of seaweed; next to a swan's nest; in a heap of driftwood; under a broken oar
            behind the rushes
            in a ring of pebbles
nook-wood: under a fern; behind a mossy log; between two roots; in a hollow trunk; beneath a pile of leaves
           under a toadstool
           behind a gooseberry bush; inside an old burrow; under the lowest branches; beside an anthill
           in a bed of moss
           behind a holly bush
nook-hill: behind a boulder; under a thorn bush; in a crack in the rock; beside a heap of stones
           in a patch of heather
           behind a wind-bent pine; under a ledge; in a dry gully; between two thistles; under an overhang
           beside a goat track
nook-field: under a bench; behind a haystack; among the daisies; beside a molehill; under a rosebush
            behind the scarecrow
            in the tall grass; under a wheelbarrow; next to a beehive; behind the hedge; in a clump of clover
            beside a watering can; beneath an apple tree
nook-village: under a market stall; behind a barrel; beside the steps; under a cart; behind a stack of crates
              in a doorway
              next to a lamppost; under a wooden bench; behind a sack of flour; beside a milk churn; on a windowsill
              behind a pillar; under the notice board
nook-house: under a dusty blanket; behind an old wardrobe; in the darkest corner; under the stairs
            behind a stack of boxes
            inside a cracked vase; on the top shelf; beneath a loose board; behind a spinning wheel
            under a pile of coats
            in a nest of straw; beside an old stove; behind a row of jars
"""
