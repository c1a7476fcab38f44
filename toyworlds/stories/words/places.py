"""Places, as `kind preposition: nouns`, and what can be done there."""

PLACES = """
water at: river lake pond beach stream harbor bay lagoon shore waterfall cove marsh pier dock creek seaside
          canal fjord estuary weir jetty waterhole reservoir
wood in: forest grove thicket glade clearing orchard jungle pinewood dell copse spinney coppice arboretum
wood by: oak willow woodpile hollow beech elm
hill on: hill mountain cliff ridge hilltop dune moor slope plateau summit
hill in: valley cave quarry canyon ravine
field in: meadow field garden park playground pasture vineyard cornfield paddock courtyard schoolyard churchyard
          sandpit
field on: farm lawn
village at: market bakery school library station bridge mill museum theater fountain fair circus zoo smithy inn
         bookshop lighthouse crossroads bandstand workshop dairy forge laundry gatehouse aquarium chapel
         tollgate pottery sawmill brewery infirmary observatory
            planetarium gallery boathouse ballroom gymnasium
house in: attic cellar barn stable shed greenhouse pantry parlor playroom nursery garage treehouse henhouse
          hayshed woodshed conservatory cloakroom
house on: porch balcony
rest in: kitchen bedroom bathtub shade armchair hayloft hammock
rest at: well fireplace spring stove doorstep
"""
"""`rest` holds the places of customs, which no plot visits."""

ACTS = """
water: float:floating paper boats; wade:wading with rolled-up trousers; dig:digging for clams
       watch:watching the ferries
       fish:fishing with a bent pin; poke:poking at the seaweed; write:writing letters in the sand
       skip:skipping stones; build:building sandcastles; splash:splashing in the shallows; collect:collecting shells
       watch:watching the boats; look:looking for crabs; feed:feeding the ducks; paddle:paddling in the cool water
       draw:drawing pictures in the wet sand; count:counting the ripples; listen:listening to the waves
       dip:dipping bare toes in the water; chase:chasing the little waves; catch:catching tadpoles in a jar
wood: carve:carving a whistle; sort:sorting leaves; track:tracking badgers; hide:hiding in the bracken
      sniff:sniffing the resin
      listen:listening to the cuckoo; stack:stacking twigs; collect:collecting beetles; gather:gathering acorns
      climb:climbing the low branches; follow:following the ants; pick:picking blackberries
      listen:listening to the woodpecker; build:building a den out of sticks; look:looking for mushrooms
      jump:jumping over logs; hunt:hunting for pinecones; pretend:pretending to be an explorer
      swing:swinging from a branch; balance:balancing on a fallen trunk; look:looking for owls
      smell:smelling the pines
hill: fly:flying paper planes; yodel:yodeling; draw:drawing the view; pile:piling up stones; lie:lying in the heather
      spot:spotting distant steeples; whistle:whistling to the sheep; roll:rolling down the slope
      watch:watching the clouds; shout:shouting to hear the echo; slide:sliding on the grass
      look:looking out over the valley; climb:climbing the big rocks; chase:chasing the wind
      search:searching for fossils
      count:counting the rooftops far below; race:racing to the top; watch:watching the eagles
      pick:picking wild thyme
field: juggle:juggling apples; toss:tossing a hoop; tie:tying bouquets; skip:skipping rope; jump:jumping over ditches
       walk:walking on stilts; hunt:hunting for crickets; spin:spinning like a windmill; chase:chasing butterflies
       pick:picking daisies; play:playing hide and seek; run:running through the tall grass
       make:making daisy chains; dance:dancing in the sunshine; look:looking for lucky clovers; play:playing leapfrog
       turn:turning cartwheels; watch:watching the bees; count:counting ladybugs; blow:blowing on dandelions
       lie:lying in the grass; hop:hopping over puddles; play:playing tag; plant:planting sunflower seeds
village: listen:listening to the choir; taste:tasting the samples; count:counting the cobblestones
         pet:petting the donkeys
         watch:watching the clock; guess:guessing the prices; greet:greeting the passersby; draw:drawing the spire
         look:looking at the stalls; watch:watching the carts go by; listen:listening to the music
         feed:feeding the pigeons
         smell:smelling the fresh bread; wave:waving to the neighbors; read:reading the signs
         count:counting the chimneys
         play:playing hopscotch; look:looking in the windows; chat:chatting with the merchants
         admire:admiring the flags
house: stack:stacking cushions; cut:cutting out paper stars; play:playing dominoes; write:writing a secret letter
       look:looking at old photographs; juggle:juggling socks; rock:rocking on an old chest; play:playing marbles
       build:building a tower of blocks; draw:drawing funny faces; look:looking through old boxes
       make:making paper boats; tell:telling riddles; play:playing dress up; sing:singing silly songs
       tidy:tidying the shelves
       put:putting on a puppet show; play:playing checkers; build:building a fort; practice:practicing magic tricks
"""
"""What can be done for fun, by kind of place: `verb:verb-ing rest`."""
