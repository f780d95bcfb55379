using System.Globalization;

namespace FacadeTests;

internal static class Program
{
    // In sequence: tests count the living tensors of the whole process, and the first one wants libtorch not loaded yet.
    private static Test All =>
        Runner.TestSequenced(
            Runner.TestList(
                "CSharp",
                [
                    MaskTests.All,
                    LabelMapTests.All,
                    SkeletonGraphTests.All,
                    MeasuresTests.All,
                    DataTests.All,
                    SurfaceTests.All,
                    OptionsTests.All,
                    CultureTests.All,
                    LossTests.All,
                    ObjectiveTests.All,
                    TrainerTests.All,
                    PredictorTests.All,
                    ChainTests.All,
                    WeightFinderTests.All,
                    EvaluationTests.All,
                ]
            )
        );

    private static int Main(string[] arguments)
    {
        if (Environment.GetEnvironmentVariable("SKELETONRECALL_TEST_CULTURE") == "comma")
        {
            CultureInfo.DefaultThreadCurrentCulture = CultureTests.Comma;
            CultureInfo.CurrentCulture = CultureTests.Comma;
        }
        return Runner.RunTestsWithCLIArgs([], arguments, All);
    }
}
