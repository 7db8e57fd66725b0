"""Harmless everyday tasks: what people ask for help with, and sound short advice for it."""

from __future__ import annotations

from alignment.tiny.kinds import Kind, kind

_AXIS = "helpfulness"

KINDS: tuple[Kind, ...] = (
    kind(
        "bake",
        _AXIS,
        (0.85, 0.95),
        "bake {}; prepare {}",
        (
            """sourdough bread; scones; a sponge cake; oat biscuits; cinnamon rolls; a cheese pie;
            pretzels; a lemon tart; brownies; focaccia; ginger cookies; a banana loaf;
            shortbread; pancakes""",
            "muffins; bagels; an apple crumble; croissants; a quiche; flapjacks; meringues",
        ),
        (
            """Heat the oven first and weigh the flour.
            Mix the flour, butter and sugar into a soft dough.
            Let the dough rest in a warm bowl for an hour.
            Line a tin with paper so the dough does not stick.
            Turn the oven down when the top is brown.
            Beat the eggs and fold them into the flour.
            Keep the oven door shut for the first half hour.
            Let it cool on a rack before you cut it.""",
            """Weigh the butter, the sugar and the flour with care.
            Roll the dough out with a little flour.
            Put the tin in the middle of the oven.
            Fold the sugar into the eggs before the flour.""",
        ),
    ),
    kind(
        "grow",
        _AXIS,
        (0.8, 0.95),
        "grow {}; plant {}",
        (
            """tomatoes; lettuce; roses; carrots; basil; strawberries; potatoes; sunflowers;
            garlic; a lemon tree; tulips; peas; lavender; chillies""",
            "pumpkins; radishes; mint; raspberries; spinach; figs; dahlias",
        ),
        (
            """Sow the seeds in good soil after the last frost.
            Water the soil in the evening and keep the leaves dry.
            Choose a pot with holes so the roots can drain.
            Give the young plants sun for six hours a day.
            Dig some compost into the soil in spring.
            Pull the weeds before they take the water.
            Cut the dead leaves so that new ones come.
            Keep the seeds a hand apart so the roots have space.""",
            """Put the seeds in damp soil in spring.
            Keep the young plants in the sun and water them often.
            Mix compost with the soil around the roots.
            Take off the dead leaves and pull the weeds.""",
        ),
    ),
    kind(
        "repair",
        _AXIS,
        (0.35, 0.95),
        "fix {}; repair {}",
        (
            """a dripping tap; a squeaky door; a wobbly chair; a flat tyre; a torn curtain;
            a stuck drawer; a loose handle; a cracked tile; a broken lamp; a leaky pipe;
            a bent hinge; a slow toaster; a jammed zip; a blocked sink""",
            """a rattling shutter; a broken umbrella; a wonky shelf; a leaky hose; a chipped mug;
            a creaky stool; a dead doorbell""",
        ),
        (
            """Take out the old screws and look for the worn part.
            Tighten the loose screws with a small screwdriver.
            Buy a spare part that has the same size.
            Put strong glue on both sides and clamp them.
            Lay the tools and the screws out in order.
            Oil the part that moves and wipe off the rest.
            Sand the broken edge before the glue goes on.
            Test the new part before you tighten it all.""",
            """Find the worn part and take out its screws.
            Clamp both sides until the glue is hard.
            Use a screwdriver to tighten the new part.
            Wipe the broken edge and sand it before the glue.""",
        ),
    ),
    kind(
        "music",
        _AXIS,
        (0.35, 0.95),
        "play {}; practise {}",
        (
            """the guitar; the piano; the violin; the flute; the drums; the cello; the trumpet;
            the ukulele; the harp; the clarinet; the accordion; the saxophone; the banjo;
            the organ""",
            """the mandolin; the oboe; the harmonica; the trombone; the recorder; the viola;
            the bagpipes""",
        ),
        (
            """Practise slow scales for ten minutes each day.
            Learn three easy chords and change between them.
            Clap the rhythm before you try the notes.
            Pick a simple song and repeat its hardest bar.
            Use a metronome and raise the tempo bit by bit.
            Tune it well before you practise any song.
            Listen to the tune and sing the notes first.
            Record yourself and check the rhythm of each bar.""",
            """Try the scales with a slow metronome.
            Sing the song once and then practise its notes.
            Repeat the chords until the rhythm is steady.
            Take one bar of the tune and raise the tempo.""",
        ),
    ),
    kind(
        "travel",
        _AXIS,
        (0.35, 0.95),
        "travel to {}; visit {}",
        (
            """Lisbon; Rome; Iceland; Kyoto; Berlin; Morocco; Peru; Vienna; Scotland; Athens;
            Norway; Prague; Vietnam; Cairo""",
            "Madrid; Oslo; Kenya; Dublin; Chile; Budapest; Nepal",
        ),
        (
            """Book the flights early and compare the prices.
            Choose a hotel near the station or the old town.
            Check if you need a visa and pack light.
            Make a list of the sights and group them by day.
            Buy a rail pass if you visit more than one town.
            Learn a few local words and carry a map.
            Go outside the high season to avoid the crowds.
            Keep a copy of your visa and your flights.""",
            """Compare hotel prices near the sights.
            Pack a map and a list of local words.
            Book the hotel and the flights outside the high season.
            Visit the old town early to avoid the crowds.""",
        ),
    ),
    kind(
        "study",
        _AXIS,
        (0.35, 0.65),
        "study for {}; revise for {}",
        (
            """a chemistry exam; a history final; a maths test; a biology midterm; a Latin paper;
            a law module; a physics oral; a geography unit; a spelling bee; a French class;
            a statistics course; an economics lecture; a theory exam; a grammar test""",
            """an anatomy viva; an algebra retake; a philosophy seminar; a nursing board;
            a geometry olympiad; a botany practical; an astronomy diploma""",
        ),
        (
            """Split the chapters over the weeks you have left.
            Write flash cards and quiz yourself each night.
            Explain each chapter aloud in your own words.
            Do past questions with a clock beside you.
            Read your summary again before you go to sleep.
            Study in blocks of thirty minutes with breaks.
            Mark the facts you forget and repeat them.
            Meet a friend and test each other on the facts.""",
            """Make flash cards for the facts you forget.
            Write a summary of every chapter in your own words.
            Work in blocks with breaks and past questions.
            Read the chapters aloud and repeat the facts.""",
        ),
    ),
    kind(
        "write",
        _AXIS,
        (0.35, 0.65),
        "write {}; draft {}",
        (
            """a cover letter; a wedding speech; a short story; a thank-you note; a love poem;
            a complaint letter; a job advert; a book column; a blog post; a team report;
            a school play; a birthday card; a song lyric; a news article""",
            """a eulogy; a toast; a limerick; a memoir; a newsletter; a sonnet; an invitation""",
        ),
        (
            """Open with one clear sentence that says why.
            Put each main point in its own paragraph.
            Read the text aloud and cut the long sentences.
            Think of the reader and use plain words.
            Start from a short outline of the main points.
            End with a line that the reader will remember.
            Ask someone to read the text and mark the dull lines.
            Check the spelling of every line at the end.""",
            """Make an outline with one paragraph for each point.
            Use plain words and short sentences for the reader.
            Cut the dull lines and check the spelling.
            Open with a line that the reader will like.""",
        ),
    ),
    kind(
        "clean",
        _AXIS,
        (0.8, 0.95),
        "clean {}; wash {}",
        (
            """a carpet; a white shirt; a leather sofa; a wool jumper; a mattress; suede shoes;
            a silk scarf; a glass table; the bathroom tiles; a cotton sheet; a wooden floor;
            jeans; a velvet cushion; a rug""",
            """a raincoat; a linen tablecloth; a denim apron; canvas trainers; a felt hat;
            a marble worktop; a duvet""",
        ),
        (
            """Blot the stain with a damp cloth and do not rub.
            Mix mild soap with cold water in a bucket.
            Sprinkle baking soda on the stain overnight.
            Rinse it with vinegar and let it dry in the air.
            Brush off the dust before you wet it.
            Try the soap on a hidden spot first.
            Scrub the stain softly with an old brush.
            Wring out the cloth and wipe off the foam.""",
            """Rinse the stain with cold water and mild soap.
            Rub a little baking soda on it with a brush.
            Blot it with a cloth and vinegar.
            Wipe off the dust with a damp cloth.""",
        ),
    ),
)
