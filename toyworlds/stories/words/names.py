"""Names of people and animals; no name is in two lists, and none is a common word at the start of a sentence."""

GIRLS = """
Lily Mia Anna Lucy Sara Amy Sally Jane Emma Ella Zoe Ruby Molly Nora Clara Julia Alice Maya Nina Rosa Sofia Eva
Ada Abby Addie Agnes Aisha Alana Alba Alexa Alma Amara Amelia Amina Anika Anya April Ariana Astrid Audrey Aurora
Ava Bella Bertha Bessie Beth Betty Bianca Bonnie Bridget Brenda Briana Camila Cara Carla Carmen Carol Cecilia Celia
Chloe Cindy Claudia Cleo Cora Daisy Dana Daphne Darla Deborah Delia Della Diana Dina Dolly Donna Dora Doris Dorothy
Edith Edna Elena Elisa Eliza Elsa Elsie Emily Erin Esme Esther Etta Eunice Fanny Farah Fatima Felicia Fern Fiona
Flora Florence Frances Frieda Gabriela Gemma Gina Gloria Greta Gwen Hana Hannah Harriet Hattie Hazel Heidi Helen
Helga Henrietta Hilda Holly Ida Ilse Imani Ingrid Irene Iris Irma Isabel Ivy Jada Jasmine Jean Jenna Jenny Jessie
Jill Joan Joanna Josie Joyce Juanita Judith Judy Julie June Kara Karen Kate Katie Kayla Keiko Kelly Kiara Kim
Kira Kitty Lana Lara Laura Layla Leah Leila Lena Leona Leslie Lila Lina Linda Lisa Liza Lola Lorna Lottie Louisa
Lucia Lulu Luna Lydia Mabel Maddie Maggie Malia Mara Marcia Margaret Margo Maria Marie Marina Marion Marisol Marta
Martha Mary Matilda Maud Megan Mei Melanie Mildred Millie Mimi Mina Minnie Mira Miriam Mona Monica Muriel Myra
Nadia Nadine Nancy Naomi Natalie Nell Nellie Nia Nicole Noor Norma Odessa Olga Olive Olivia Opal Paige Pam Paula
Peggy Penny Petra Phoebe Polly Portia Priya Rachel Ramona Rebecca Regina Rhea Rhoda Rita Roberta Rosalie Rosie
Rowena Roxy Ruth Sabrina Sadie Salma Samira Sandra Sasha Selma Serena Shanti Sheila Shirley Sienna Sigrid Simone
Sonia Sophie Stella Sue Sunita Susan Suzy Sylvia Tamara Tania Tara Teresa Tess Thea Tilda Tilly Tina Trudy Uma
Ursula Valerie Vanessa Vera Vicky Viola Wanda Wendy Wilma Winnie Yara Yasmin Yoko Yolanda Yuki Yvonne Zara Zelda
Zena Zuri
"""

BOYS = """
Tom Ben Sam Tim Max Bob Jack Leo Noah Finn Oscar Henry Peter Paul Adam Luke Jake Oliver Hugo Felix Simon Theo
Aaron Abel Ahmed Aidan Alan Albert Alec Alex Alfie Alfred Ali Alvin Amir Amos Andre Andrew Andy Angus Anton Archie
Arlo Arnold Arthur Asher Austin Axel Barry Basil Bernard Bert Blake Boris Brad Brandon Brendan Brian Bruce Bruno
Bryan Caleb Calvin Cameron Carl Carlos Casper Cedric Charlie Chester Chris Clark Claude Clement Clifford Clive
Clyde Cody Colin Connor Conrad Craig Curtis Cyril Dale Damon Daniel Danny Darius Darren David Dean Dennis Derek
Desmond Dexter Diego Dominic Donald Douglas Duncan Dwight Dylan Eddie Edgar Edmund Edward Edwin Eli Elias Elliot
Ellis Elmer Elton Emil Emmett Enzo Eric Ernest Erwin Ethan Eugene Evan Ezra Fergus Floyd Forrest Francis Frank
Fred Freddie Gareth Garth Gary Gavin George Gerald Gilbert Giles Glen Gordon Graham Grant Greg Gregor Gus Guy
Hakim Hamish Hank Hans Harold Harris Harry Harvey Hassan Hector Herbert Herman Hiro Homer Horace Howard Hubert
Hugh Ian Ibrahim Igor Ike Imran Isaac Isaiah Ivan Jacob Jamal James Jared Jasper Javier Jay Jeff Jeremy Jerome
Jerry Jesse Jim Jimmy Joe Joel Joey Johan John Jonah Jonas Jordan Jorge Jose Joseph Josh Juan Julian Julius
Justin Kai Karim Karl Keith Kenji Kenny Kevin Kirk Kofi Kurt Kyle Lance Larry Lars Lawrence Lee Leon Leonard
Leroy Lewis Liam Lionel Lloyd Logan Lorenzo Louie Louis Lowell Lucas Luis Luther Malik Manuel Marco Marcus Mario
Mason Mateo Matt Maurice Mick Miguel Mike Milan Miles Milo Milton Mitch Mohan Morgan Morris Murray Nathan Ned
Neil Nelson Niall Nicholas Nigel Niko Norman Olaf Omar Orson Orville Oswald Otis Otto Owen Pablo Patrick Pedro
Percy Perry Phil Philip Pierre Quentin Quincy Rafael Ralph Ramon Randy Ravi Ray Raymond Reggie Reuben Rex Ricardo
Richard Rob Robert Robin Rodney Roger Roland Ronald Rory Ross Roy Rufus Rupert Russell Ryan Salim Samuel Scott
Sean Sergio Seth Shane Sidney Silas Stan Stefan Stephen Steve Stuart Sven Tariq Ted Terence Terry Thomas Timothy
Toby Todd Tony Travis Trevor Troy Tyler Tyrone Ulric Umar Vernon Victor Vijay Vince Vincent Wade Wallace Walter
Warren Wayne Wesley Wilbur Willis Winston Wyatt Xavier Yusuf Zach Zane
"""

ANIMALS_SHE = """
Bluebell Buttercup Biscuit Blossom Bramble Brandy Bubbles Button Candy Caramel Cherry Cinnamon Clementine Clover
Coco Cookie Cotton Crumpet Cupcake Cuddles Dainty Dandelion Dewdrop Dimples Dotty Duchess Emerald Feather Fidget
Flicker Flopsy Fluffy Foxglove Freckles Fuzzy Ginger Glimmer Goldie Heather Honey Jellybean Jingle Juniper Kiki
Lavender Lollipop Lupin Maple Marigold Marmalade Marshmallow Meadow Misty Mitzi Mocha Mopsy Muffin Nectar Nettle
Nibbles Nutmeg Paprika Pansy Papaya Peaches Pearl Pebbles Petunia Pickles Pippa Pixie Plum Poppy Posy Praline
Primrose Princess Puddle Pumpkin Raisin Ripple Rosebud Saffron Sandy Snowdrop Snowflake Snowy Sparkle Sprinkle
Starlight Sugar Sunny Taffy Tangerine Tinker Toffee Truffle Tulip Twinkle Vanilla Velvet Violet Waffles Whiskers
Willow Wisteria Zinnia
"""

ANIMALS_HE = """
Acorn Ash Bandit Banjo Barnaby Baxter Bean Benji Bernie Bingo Blaze Bobbin Boomer Boots Bosco Boulder Brisket Bumble
Burdock Buster Buzz Captain Chestnut Chip Chuckles Cloudy Comet Cosmo Crackle Cricket Dash Digger Doodle Dusty
Domino Duffy Ember Fizz Flash Flint Frisky Fudge Gizmo Goober Gulliver Gumdrop Hobnob Humphrey Jolly Jumper Kipper
Lucky Magpie Merlin Midnight Mittens Monty Moss Mossy Muddy Noodle Nugget Oakley Oats Pepper Patches Peanut Pepito
Pip Pippin Pogo Popcorn Puck Quill Radish Ranger Rascal Rocky Rolo Rowdy Rumble Rusty Scamper Scout Scruffy Shadow
Skipper Smokey Smudge Sniffles Socks Sparky Speckle Spike Spot Sprout Stormy Stripe Tangle Teddy Thicket Thistle
Thumper Thunder Tucker Tumble Turnip Twig Waddles Waggles Walnut Wiggles Winks Woody Ziggy Zippy
"""

SURNAMES = """
Abbott Alder Applegate Archer Arrowsmith Atwood Bagley Barlow Barnes Beckett Bellamy Bentley Berry Birch Blackwood
Bloom Bolton Bradley Brewster Briggs Bristow Brook Burrows Butterfield Button Caldwell Cartwright Chandler Chapman
Clay Clearwater Cobb Colby Collins Cooper Copper Crabtree Crane Crawford Crocker Crumb Dalton Darby Dobbs Draper
Dudley Eastwood Elkins Ellery Fairweather Farrow Fennel Fielding Fisher Fletcher Flynn Foster Frost Fuller Gable
Gale Gallagher Garland Gibbs Goodwin Granger Greenfield Griggs Grover Hadley Hale Harper Hartley Hathaway Hawthorn
Hayes Heath Higgins Hobbs Hodge Holloway Hopper Hudson Huxley Ingram Ives Jenkins Jessop Jupp Keating Kettle Kirby
Lambert Larkin Lockhart Locksley Lovell Mackay Marlow Mayfield Mercer Merriweather Moody Mumford Nettleton Newbury
Nightingale Oakwood Olsen Orchard Osgood Paddock Parrish Partridge Peabody Penrose Pepperidge Pettigrew Pickett
Plumley Porter Potter Prescott Proctor Quigley Radcliffe Ramsey Redfern Ridley Rivers Rosewood Rowntree Sawyer
Seabright Sedgwick Shaw Sheldon Sherwood Skinner Sparrow Spencer Springfield Stokes Stone Summers Swift Tanner
Thatcher Thistlewood Thorne Tidwell Tinsley Tolliver Townsend Trimble Tully Turner Twigg Underhill Vaughn Waddell
Wainwright Walker Waverly Webster Weaver Whitaker Whitlock Wilcox Winslow Winters Woodruff Wren Yardley York
"""

KIN = """
mother: Mom Mommy Mama Mother
father: Dad Daddy Papa Father
grandmother: Grandma Granny Nana Grandmother
grandfather: Grandpa Granddad Grandfather Gramps
"""
"""What a child calls the grown-ups at home, by kind."""

TITLES = {"she": "Miss", "he": "Mister"}
"""A grown-up outside the family is called by a title and a surname."""
