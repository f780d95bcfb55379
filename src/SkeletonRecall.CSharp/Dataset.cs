namespace SkeletonRecall.CSharp;

/// <summary>A class of a data set.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Id">Its id in label maps; 0 is the background.</param>
public sealed record Label(string Name, int Id);

/// <summary>A class that several labels make up together.</summary>
/// <param name="Name">What it is called.</param>
/// <param name="Labels">Ids of the labels that belong to it.</param>
/// <param name="Paint">The id that a label map gets where the region is found.</param>
public sealed record Region(string Name, IReadOnlyList<int> Labels, int Paint);

/// <summary>What nnU-Net's dataset.json says about a data set.</summary>
public sealed class Dataset
{
    internal Dataset(Pipeline.Dataset core) => Core = core;

    internal Pipeline.Dataset Core { get; }

    /// <summary>
    /// A data set of one's own. The foreground classes get the ids 1, 2 and so on, the background 0.
    /// </summary>
    /// <param name="name">Its name, e.g. <c>Dataset001_Vessels</c>.</param>
    /// <param name="channelNames">One name per channel of the images, in order.</param>
    /// <param name="foreground">The names of the classes but for the background.</param>
    /// <param name="fileEnding">Ending of the image files, with its dot.</param>
    /// <param name="trainingCount">Number of training cases.</param>
    /// <exception cref="ArgumentException">There is no channel or no class.</exception>
    public Dataset(
        string name,
        IReadOnlyList<string> channelNames,
        IReadOnlyList<string> foreground,
        string fileEnding = ".png",
        int trainingCount = 0
    )
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(channelNames);
        ArgumentNullException.ThrowIfNull(foreground);
        ArgumentNullException.ThrowIfNull(fileEnding);
        if (channelNames.Count == 0)
        {
            throw new ArgumentException("At least one channel is wanted; got none.", nameof(channelNames));
        }
        if (foreground.Count == 0)
        {
            throw new ArgumentException(
                "At least one class besides the background is wanted; got none.",
                nameof(foreground)
            );
        }
        Core = Pipeline.DatasetModule.create(
            name,
            Interop.ToList(channelNames),
            Interop.ToPairs(foreground.Prepend("background").Select((label, id) => (label, id))),
            fileEnding,
            trainingCount
        );
    }

    /// <summary>A data set from the text of its dataset.json; the path serves the messages and gives the name.</summary>
    /// <exception cref="ProblemException">The text is no dataset.json, or asks for what is not served.</exception>
    public static Dataset Parse(string json, string path = "dataset.json")
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(path);
        return new(Interop.OrThrow(Pipeline.DatasetModule.parse(path, json)));
    }

    /// <summary>The name of its folder, e.g. <c>Dataset001_Vessels</c>.</summary>
    public string Name => Core.Name;

    /// <summary>One name per channel, in order.</summary>
    public IReadOnlyList<string> ChannelNames => Interop.FromList(Core.ChannelNames);

    /// <summary>The classes, ascending from the background, without the ignore label.</summary>
    public IReadOnlyList<Label> Labels => Interop.FromList(Core.Labels, pair => new Label(pair.Item1, pair.Item2));

    /// <summary>The regions, which may overlap; none where the labels are classes.</summary>
    public IReadOnlyList<Region> Regions =>
        Interop.FromList(
            Core.Regions,
            region => new Region(region.Name, Interop.FromList(region.Labels), region.Paint)
        );

    /// <summary>The id of voxels that are not annotated; null where there is none.</summary>
    public int? Ignore => Interop.ToNullable(Core.Ignore);

    /// <summary>Ending of the image files, with its dot.</summary>
    public string FileEnding => Core.FileEnding;

    /// <summary>Number of training cases.</summary>
    public int TrainingCount => Core.TrainingCount;

    /// <summary>The text of dataset.json.</summary>
    public string ToJson() => Pipeline.DatasetModule.print(Core);

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
